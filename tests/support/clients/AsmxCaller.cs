// A caller as .NET Framework's ASMX proxies are, for the services of [MS-RMPR] below /_wmcs. Compiled by the test with mono's mcs.
//
//   AsmxCaller.exe URL HOW ACCOUNT OPERATION...     HOW: ntlm, ntlm-default, negotiate, none. ACCOUNT: DOMAIN\name:password, or -
//
// ASMX_SERVER: the SHA-1 of the certificate that a server may have besides those of known issuers.
// Prints "operation field text" for each part of an answer, text in base64, and "operation failed TYPE: message" instead of an answer.
using System;
using System.Net;
using System.Net.Security;
using System.Text;
using System.Web.Services;
using System.Web.Services.Description;
using System.Web.Services.Protocols;
using System.Xml;
using System.Xml.Serialization;

public class Names {
	public const string Drm = "http://microsoft.com/DRM/", Server = Drm + "ServerService", Locator = Drm + "ServiceLocatorService",
		Certification = Drm + "CertificationService", Publishing = Drm + "PublishingService", Licensing = Drm + "LicensingService",
		Templates = Drm + "TemplateDistributionService";
}

public class VersionData : SoapHeader {
	public string MinimumVersion = "1.1.0.0", MaximumVersion = "1.1.0.0";
}
[XmlRoot("VersionData", Namespace = Names.Server)] public class ServerVersion : VersionData {}
[XmlRoot("VersionData", Namespace = Names.Locator)] public class LocatorVersion : VersionData {}
[XmlRoot("VersionData", Namespace = Names.Certification)] public class CertificationVersion : VersionData {}
[XmlRoot("VersionData", Namespace = Names.Publishing)] public class PublishingVersion : VersionData {}
[XmlRoot("VersionData", Namespace = Names.Licensing)] public class LicensingVersion : VersionData {}
[XmlRoot("VersionData", Namespace = Names.Templates)] public class TemplatesVersion : VersionData {}

public class Chain {
	[XmlArrayItem("Certificate")] public XmlNode[] CertificateChain;
}

// ---- server.asmx, servicelocator.asmx ----

public enum ServiceType { LicensingService, PublishingService, CertificationService, ServerService, ActivationService }
public class ServiceLocationRequest { public ServiceType Type; }
public class ServiceLocationResponse { public string URL; public ServiceType Type; }
public enum ServerInfoType { VersionInfo, ServerFeatureInfo, ServerLicensorCertificate, ServiceLocations }
public class ServerInfoRequest { public ServerInfoType Type; public string AdditionalInfo; }

[WebServiceBinding("ServerSoap", Names.Server)]
public class Server : SoapHttpClientProtocol {
	public ServerVersion Version = new ServerVersion();

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Server + "/GetLicensorCertificate", RequestNamespace = Names.Server, ResponseNamespace = Names.Server,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public Chain GetLicensorCertificate() { return (Chain)Invoke("GetLicensorCertificate", new object[0])[0]; }

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Server + "/FindServiceLocations", RequestNamespace = Names.Server, ResponseNamespace = Names.Server,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public ServiceLocationResponse[] FindServiceLocations(ServiceLocationRequest[] ServiceNames) {
		return (ServiceLocationResponse[])Invoke("FindServiceLocations", new object[] { ServiceNames })[0];
	}

	[SoapDocumentMethod(Names.Server + "/GetServerInfo", RequestNamespace = Names.Server, ResponseNamespace = Names.Server,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public XmlNode GetServerInfo(ServerInfoRequest[] requests) { return (XmlNode)Invoke("GetServerInfo", new object[] { requests })[0]; }
}

[WebServiceBinding("ServiceLocatorSoap", Names.Locator)]
public class Locator : SoapHttpClientProtocol {
	public LocatorVersion Version = new LocatorVersion();

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Locator + "/FindServiceLocationsForUser", RequestNamespace = Names.Locator, ResponseNamespace = Names.Locator,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public ServiceLocationResponse[] FindServiceLocationsForUser(ServiceLocationRequest[] ServiceNames) {
		return (ServiceLocationResponse[])Invoke("FindServiceLocationsForUser", new object[] { ServiceNames })[0];
	}
}

// ---- servercertification.asmx, publish.asmx ----

public class CertifyParams {
	[XmlArrayItem("Certificate")] public XmlNode[] MachineCertificateChain;
	public bool Persistent;
}
public class QuotaResponse { public bool Verified; public int CurrentConsumption, Maximum; }
public class CertifyResult {
	[XmlArrayItem("Certificate")] public XmlNode[] CertificateChain;
	public QuotaResponse Quota;
}

[WebServiceBinding("ServerCertificationWebServiceSoap", Names.Certification)]
public class Certification : SoapHttpClientProtocol {
	public CertificationVersion Version = new CertificationVersion();

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Certification + "/Certify", RequestNamespace = Names.Certification, ResponseNamespace = Names.Certification,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public CertifyResult Certify(CertifyParams requestParams) { return (CertifyResult)Invoke("Certify", new object[] { requestParams })[0]; }
}

public class GetClientLicensorCertParams { [XmlArrayItem("Certificate")] public XmlNode[] PersonaCerts; }
public class GetClientLicensorCertResponse : Chain {}

[WebServiceBinding("PublishSoap", Names.Publishing)]
public class Publishing : SoapHttpClientProtocol {
	public PublishingVersion Version = new PublishingVersion();

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Publishing + "/GetClientLicensorCert", RequestNamespace = Names.Publishing,
		ResponseNamespace = Names.Publishing, Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public GetClientLicensorCertResponse[] GetClientLicensorCert(GetClientLicensorCertParams[] RequestParams) {
		return (GetClientLicensorCertResponse[])Invoke("GetClientLicensorCert", new object[] { RequestParams })[0];
	}
}

// ---- license.asmx, templatedistribution.asmx ----

public class AcquireLicenseParams {
	[XmlArrayItem("Certificate")] public XmlNode[] LicenseeCerts;
	[XmlArrayItem("Certificate")] public XmlNode[] IssuanceLicense;
	public XmlNode ApplicationData;
}
public class AcquireLicenseResponse : Chain { [XmlArrayItem("Certificate")] public XmlNode[] ReferenceCertificates; }

[WebServiceBinding("LicenseSoap", Names.Licensing)]
public class Licensing : SoapHttpClientProtocol {
	public LicensingVersion Version = new LicensingVersion();

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Licensing + "/AcquireLicense", RequestNamespace = Names.Licensing, ResponseNamespace = Names.Licensing,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public AcquireLicenseResponse[] AcquireLicense(AcquireLicenseParams[] RequestParams) {
		return (AcquireLicenseResponse[])Invoke("AcquireLicense", new object[] { RequestParams })[0];
	}
}

public class GuidHash { public string Guid, Hash; }
public class TemplateInformation {
	public string ServerPublicKey;
	public int GuidHashCount;
	[XmlElement("GuidHash")] public GuidHash[] GuidHash;
}
public class GuidTemplate { public string Guid, Hash, Template; }

[WebServiceBinding("TemplateDistributionWebServiceSoap", Names.Templates)]
public class Templates : SoapHttpClientProtocol {
	public TemplatesVersion Version = new TemplatesVersion();

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Templates + "/AcquireTemplateInformation", RequestNamespace = Names.Templates,
		ResponseNamespace = Names.Templates, Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public TemplateInformation AcquireTemplateInformation() {
		return (TemplateInformation)Invoke("AcquireTemplateInformation", new object[0])[0];
	}

	[SoapHeader("Version", Direction = SoapHeaderDirection.InOut)]
	[SoapDocumentMethod(Names.Templates + "/AcquireTemplates", RequestNamespace = Names.Templates, ResponseNamespace = Names.Templates,
		Use = SoapBindingUse.Literal, ParameterStyle = SoapParameterStyle.Wrapped)]
	public GuidTemplate[] AcquireTemplates(string[] guids) { return (GuidTemplate[])Invoke("AcquireTemplates", new object[] { guids })[0]; }
}

public class Program {
	static string url, how, account;
	static XmlNode[] rac; // what Certify gave: licences are asked for with it

	static T Make<T>(string path) where T : SoapHttpClientProtocol, new() {
		T client = new T();
		client.Url = url + "/_wmcs/" + path;
		if (how == "none")
			return client;
		if (account == "-") { // whoever runs the program, with whatever tickets are there
			client.Credentials = CredentialCache.DefaultCredentials;
			return client;
		}
		int slash = account.IndexOf('\\'), colon = account.IndexOf(':');
		CredentialCache cache = new CredentialCache();
		cache.Add(new Uri(url), how == "negotiate" ? "Negotiate" : "NTLM", new NetworkCredential(
			account.Substring(slash + 1, colon - slash - 1), account.Substring(colon + 1), account.Substring(0, slash)));
		client.Credentials = cache;
		return client;
	}

	static void Tell(string operation, string field, string text) {
		Console.WriteLine("{0} {1} {2}", operation, field, Convert.ToBase64String(Encoding.UTF8.GetBytes(text ?? "")));
	}

	static void Tell(string operation, XmlNode[] certificates) {
		foreach (XmlNode node in certificates)
			Tell(operation, "certificate", node.OuterXml);
	}

	static XmlNode[] Certificate(string id) {
		XmlDocument document = new XmlDocument();
		document.LoadXml("<XrML xmlns=\"\" version=\"1.2\"><BODY type=\"LICENSE\" version=\"3.0\"><ID>" + id + "</ID></BODY></XrML>");
		return new XmlNode[] { document.DocumentElement };
	}

	static ServiceLocationRequest[] Wanted() {
		return new ServiceLocationRequest[] { new ServiceLocationRequest { Type = ServiceType.LicensingService },
			new ServiceLocationRequest { Type = ServiceType.ActivationService } };
	}

	static void Call(string operation) {
		switch (operation) {
		case "GetServerInfo":
			Tell(operation, "results", Make<Server>("certification/server.asmx").GetServerInfo(new ServerInfoRequest[] {
				new ServerInfoRequest { Type = ServerInfoType.ServerFeatureInfo }, new ServerInfoRequest { Type = ServerInfoType.VersionInfo } }).OuterXml);
			break;
		case "FindServiceLocations":
			foreach (ServiceLocationResponse row in Make<Server>("certification/server.asmx").FindServiceLocations(Wanted()))
				Tell(operation, row.Type.ToString(), row.URL);
			break;
		case "FindServiceLocationsForUser":
			foreach (ServiceLocationResponse row in Make<Locator>("licensing/servicelocator.asmx").FindServiceLocationsForUser(Wanted()))
				Tell(operation, row.Type.ToString(), row.URL);
			break;
		case "GetLicensorCertificate": {
			Server server = Make<Server>("licensing/server.asmx");
			Tell(operation, server.GetLicensorCertificate().CertificateChain);
			Tell(operation, "version", server.Version.MaximumVersion);
			break;
		}
		case "Certify": {
			CertifyResult result = Make<Certification>("certification/servercertification.asmx").Certify(
				new CertifyParams { MachineCertificateChain = Certificate("MachineCertificateChain"), Persistent = true });
			rac = result.CertificateChain;
			Tell(operation, rac);
			Tell(operation, "quota", result.Quota.Verified + " " + result.Quota.CurrentConsumption + " " + result.Quota.Maximum);
			break;
		}
		case "GetClientLicensorCert":
			foreach (GetClientLicensorCertResponse one in Make<Publishing>("licensing/publish.asmx").GetClientLicensorCert(
					new GetClientLicensorCertParams[] { new GetClientLicensorCertParams { PersonaCerts = rac } }))
				Tell(operation, one.CertificateChain);
			break;
		case "AcquireLicense":
			foreach (AcquireLicenseResponse one in Make<Licensing>("licensing/license.asmx").AcquireLicense(new AcquireLicenseParams[] {
					new AcquireLicenseParams { LicenseeCerts = rac, IssuanceLicense = Certificate("IssuanceLicense") } }))
				Tell(operation, one.CertificateChain);
			break;
		case "AcquireTemplates": {
			Templates client = Make<Templates>("licensing/templatedistribution.asmx");
			TemplateInformation information = client.AcquireTemplateInformation();
			Tell(operation, "count", information.GuidHashCount + " " + information.GuidHash.Length);
			foreach (GuidTemplate row in client.AcquireTemplates(new string[] { information.GuidHash[0].Guid }))
				Tell(operation, "template", row.Template);
			break;
		}
		default: throw new ArgumentException("no such operation here");
		}
	}

	public static int Main(string[] arguments) {
		url = arguments[0];
		how = arguments[1];
		account = arguments[2];
		if (how == "ntlm") // mono's default is an answer of NTLM version 1, which a domain refuses
			Mono.Security.Protocol.Ntlm.NtlmSettings.DefaultAuthLevel = Mono.Security.Protocol.Ntlm.NtlmAuthLevel.NTLMv2_only;
		ServicePointManager.ServerCertificateValidationCallback = (sender, certificate, chain, wrong) =>
			wrong == SslPolicyErrors.None || ((wrong & SslPolicyErrors.RemoteCertificateNameMismatch) == 0 &&
				certificate.GetCertHashString() == Environment.GetEnvironmentVariable("ASMX_SERVER"));
		int status = 0;
		for (int i = 3; i < arguments.Length; i++) {
			try {
				Call(arguments[i]);
			} catch (Exception problem) {
				WebException web = problem as WebException;
				HttpWebResponse answer = web == null ? null : web.Response as HttpWebResponse;
				Console.WriteLine("{0} failed {1}: {2} {3}", arguments[i], problem.GetType().Name, answer == null ? 0 : (int)answer.StatusCode,
					problem.Message.Replace('\n', ' '));
				if (Environment.GetEnvironmentVariable("ASMX_TRACE") != null)
					Console.Error.WriteLine(problem);
				status = 1;
			}
		}
		return status;
	}
}
