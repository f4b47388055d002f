"""A caller in Python: zeep, which makes its messages from a description of the services, or plain requests with messages made by hand.

    soap_caller.py zeep|requests URL kerberos|ntlm|none DOMAIN\\name:password|- OPERATION...

REQUESTS_CA_BUNDLE names who may have issued the server's certificate. Prints "operation field text" for each part of an answer, text in base64, and "operation failed TYPE: message" instead of an answer.
"""

import base64
import pathlib
import sys

import requests
import zeep
from lxml import etree
from requests_kerberos import REQUIRED, HTTPKerberosAuth
from requests_ntlm import HttpNtlmAuth

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from support import soap  # noqa: E402  pylint: disable=wrong-import-position

DRM = "http://microsoft.com/DRM/"
XRML = '<XrML xmlns="" version="1.2"><BODY type="LICENSE" version="3.0"><ID>{}</ID></BODY></XrML>'
WANTED = {"ServiceLocationRequest": [{"Type": "LicensingService"}, {"Type": "ActivationService"}]}
SERVICES = {  # operation: (binding, path)
    "GetServerInfo": ("ServerSoap", "certification/server.asmx"), "FindServiceLocations": ("ServerSoap", "certification/server.asmx"),
    "GetLicensorCertificate": ("ServerSoap", "licensing/server.asmx"),
    "FindServiceLocationsForUser": ("ServiceLocatorSoap", "licensing/servicelocator.asmx"),
    "Certify": ("ServerCertificationWebServiceSoap", "certification/servercertification.asmx"),
    "GetClientLicensorCert": ("PublishSoap", "licensing/publish.asmx"), "AcquireLicense": ("LicenseSoap", "licensing/license.asmx"),
    "AcquirePreLicense": ("LicenseSoap", "licensing/license.asmx"),
    "AcquireTemplateInformation": ("TemplateDistributionWebServiceSoap", "licensing/templatedistribution.asmx"),
    "AcquireTemplates": ("TemplateDistributionWebServiceSoap", "licensing/templatedistribution.asmx")}


def tell(operation, field, text):
    print(operation, field, base64.b64encode((text or "").encode()).decode())


def rows(result, name):
    """zeep hands out the only part of an answer instead of the answer."""
    return result if isinstance(result, list) or etree.iselement(result) else result[name]


def certs(*texts):
    return {"Certificate": [{"_value_1": etree.fromstring(text)} for text in texts]}


class Zeep:
    """Certificates of the last Certify are what licences are asked for with."""

    def __init__(self, url, session):
        self.url, self.rac = url, []
        self.client = zeep.Client(str(HERE / "rms.wsdl"), transport=zeep.transports.Transport(session=session))

    def send(self, operation, **parameters):
        binding, path = SERVICES[operation]
        service = self.client.create_service("{urn:rms-callers}" + binding, f"{self.url}/_wmcs/{path}")
        if operation != "GetServerInfo":
            parameters["_soapheaders"] = {"VersionData": {"MinimumVersion": "1.1.0.0", "MaximumVersion": "1.1.0.0"}}
        return service[operation](**parameters)

    def certificates(self, operation, chain):
        texts = [etree.tostring(row["_value_1"], encoding="unicode", with_tail=False) for row in rows(chain, "Certificate")]
        for text in texts:
            tell(operation, "certificate", text)
        return texts

    def call(self, operation):
        if operation == "GetServerInfo":
            wanted = [{"Type": "ServerFeatureInfo"}, {"Type": "VersionInfo"}]
            result = rows(self.send(operation, requests={"ServerInfoRequest": wanted}), "_value_1")
            tell(operation, "results", etree.tostring(result, encoding="unicode", with_tail=False))
        elif operation.startswith("FindServiceLocations"):
            result = self.send(operation, ServiceNames=WANTED)
            for row in rows(result, "ServiceLocationResponse"):
                tell(operation, row["Type"], row["URL"])
        elif operation == "GetLicensorCertificate":
            self.certificates(operation, self.send(operation))
        elif operation == "Certify":
            chain = certs(XRML.format("MachineCertificateChain"))
            result = self.send(operation, requestParams={"MachineCertificateChain": chain, "Persistent": True})
            self.rac = self.certificates(operation, result["CertificateChain"])
        elif operation == "GetClientLicensorCert":
            result = self.send(operation, RequestParams={"GetClientLicensorCertParams": [{"PersonaCerts": certs(*self.rac)}]})
            for row in rows(result, "GetClientLicensorCertResponse"):
                self.certificates(operation, row["CertificateChain"])
        elif operation == "AcquireLicense":
            result = self.send(operation, RequestParams={"AcquireLicenseParams": [
                {"LicenseeCerts": certs(*self.rac), "IssuanceLicense": certs(XRML.format("IssuanceLicense")), "ApplicationData": {}}]})
            for row in rows(result, "AcquireLicenseResponse"):
                self.certificates(operation, row["CertificateChain"])
        elif operation == "AcquireTemplates":
            information = self.send("AcquireTemplateInformation")
            tell(operation, "count", f"{information['GuidHashCount']} {len(information['GuidHash'])}")
            result = self.send(operation, guids={"string": [information["GuidHash"][0]["Guid"]]})
            for row in rows(result, "GuidTemplate"):
                tell(operation, "template", row["Template"])


class Plain:
    """Tells the whole answer, and what the connection was good for."""

    def __init__(self, url, session):
        self.url, self.session = url, session

    def call(self, operation):
        op = next(op for op in soap.OPERATIONS if op.name == operation)
        got = self.session.post(self.url + op.path, data=soap.request_body(op), headers=dict(soap.content_headers(op)))
        got.raise_for_status()
        tell(operation, "answer", got.text)


def main():
    tool, url, how, account = sys.argv[1:5]
    session, status = requests.Session(), 0
    if how == "kerberos":
        session.auth = HTTPKerberosAuth(mutual_authentication=REQUIRED)
    elif how == "ntlm":
        session.auth = HttpNtlmAuth(*account.split(":", 1))
    caller = {"zeep": Zeep, "requests": Plain}[tool](url, session)
    for operation in sys.argv[5:]:
        try:
            caller.call(operation)
        except Exception as problem:  # pylint: disable=broad-except
            answer = getattr(problem, "response", None)
            code = getattr(problem, "status_code", 0) or getattr(answer, "status_code", 0)
            print(operation, "failed", f"{type(problem).__name__}: {code} {problem}".replace("\n", " "))
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
