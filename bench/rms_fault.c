#include "bench/rms_fault.h"

#define CORE      "Microsoft.DigitalRightsManagement.Core."
#define UTILITIES "Microsoft.DigitalRightsManagement.Utilities."
#define LICENSING "Microsoft.DigitalRightsManagement.Licensing."
#define CRYPTO    "Microsoft.DigitalRightsManagement.Cryptography."
#define SERVICES  "Microsoft.RightsManagementServices."

static const char *const exceptions[] = {
        "System.ArgumentNullException",
        "System.ArgumentException",
        "System.ArgumentOutOfRangeException",
        "System.FormatException",
        "System.InvalidOperationException",
        "System.UnauthorizedAccessException",
        CORE "MalformedDataVersionException",
        CORE "UnsupportedDataVersionException",
        CORE "VerifyEmailAddressFailedException",
        CORE "VerifyMachineCertificateChainFailedException",
        CORE "DRMSArgumentException",
        UTILITIES "ADEntrySearchFailedException",
        UTILITIES "UnspecifiedErrorException",
        LICENSING "BlackBoxIsInvalidException",
        LICENSING "InvalidPersonaCertSignatureException",
        LICENSING "InvalidPersonaCertTimeException",
        LICENSING "UnexpectedPersonaCertException",
        LICENSING "UntrustedPersonaCertException",
        LICENSING "NoRightsForRequestedPrincipalException",
        LICENSING "DrmacIsExcludedException",
        LICENSING "InvalidRightsLabelSignatureException",
        LICENSING "IssuanceLicenseIsNotWithinValidTimeRangeException",
        LICENSING "RightsLabelNoMatchingIssuedPrincipalException",
        LICENSING "CredentialCreationTimeException",
        LICENSING "OnlinePublishingDisabledException",
        LICENSING "UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException",
        LICENSING "InvalidOfficialRightsTemplateException",
        LICENSING "InvalidSignedIssuanceLicenseException",
        LICENSING "AcquirePreLicenseInvalidLicenseeException",
        CRYPTO "UnsupportedCryptographicSetException",
        CRYPTO "CryptoUnsupportedSymKeyException",
        SERVICES "ClusterDecommissionedException",
        SERVICES "EnablingBitsHashDoesNotMatchException",
        "Microsoft.DigitalRightsManagement.ServerRepublishIllegalException",
};

const char *rms_exception_name(const char *name)
{
	if (strchr(name, '.'))
		return name;
	for (size_t i = 0; i < ARRAY_COUNT(exceptions); i++) {
		if (strcmp(strrchr(exceptions[i], '.') + 1, name) == 0)
			return exceptions[i];
	}
	return NULL;
}

void rms_envelope_start(struct text *out, enum soap_version soap)
{
	text_format(out,
	            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\"%s\" "
	            "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
	            "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">",
	            soap == SOAP_12 ? "http://www.w3.org/2003/05/soap-envelope"
	                            : "http://schemas.xmlsoap.org/soap/envelope/");
}

void rms_fault_make(struct text *out, enum soap_version soap, bool client, const char *text)
{
	rms_envelope_start(out, soap);
	if (soap == SOAP_12) {
		text_format(
		        out,
		        "<soap:Body><soap:Fault><soap:Code><soap:Value>soap:%s</soap:Value></soap:Code><soap:Reason>"
		        "<soap:Text xml:lang=\"en\">",
		        client ? "Sender" : "Receiver");
		text_add_escaped(out, slice_str(text));
		text_add_str(out, "</soap:Text></soap:Reason><soap:Detail/></soap:Fault></soap:Body></soap:Envelope>");
	} else {
		text_format(out, "<soap:Body><soap:Fault><faultcode>soap:%s</faultcode><faultstring>",
		            client ? "Client" : "Server");
		text_add_escaped(out, slice_str(text));
		text_add_str(out, "</faultstring><detail/></soap:Fault></soap:Body></soap:Envelope>");
	}
}
