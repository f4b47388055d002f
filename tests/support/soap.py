"""SOAP messages of the RMS services: small, well formed, and made here; the relay must not care what is inside."""

from dataclasses import dataclass, field

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
BASE = "http://microsoft.com/DRM/"


@dataclass(frozen=True)
class Operation:
    name: str
    path: str
    namespace: str
    inside: str = ""
    retry_safe: bool = False
    version: str = "1.1.0.0"
    paths: tuple = field(default=())

    @property
    def action(self):
        return f"{BASE}{self.namespace}/{self.name}"


CERTS = '<{0}><Certificate><XrML xmlns="" version="1.2"><BODY type="LICENSE" version="3.0"><ID>{0}</ID></BODY></XrML></Certificate></{0}>'
LOCATE = "<ServiceNames><ServiceLocationRequest><Type>LicensingService</Type></ServiceLocationRequest></ServiceNames>"
CERTIFICATION = "/_wmcs/certification/"
LICENSING = "/_wmcs/licensing/"

CERTIFY = Operation("Certify", CERTIFICATION + "servercertification.asmx", "CertificationService",
                    "<requestParams>" + CERTS.format("MachineCertificateChain") + "<Persistent>true</Persistent></requestParams>",
                    paths=(CERTIFICATION + "certification.asmx",))
ACQUIRE_LICENSE = Operation("AcquireLicense", LICENSING + "license.asmx", "LicensingService",
                            "<RequestParams><AcquireLicenseParams>" + CERTS.format("LicenseeCerts") + CERTS.format("IssuanceLicense") +
                            "<ApplicationData/></AcquireLicenseParams></RequestParams>")
ACQUIRE_PRELICENSE = Operation("AcquirePreLicense", LICENSING + "license.asmx", "LicensingService",
                               "<RequestParams><AcquirePreLicenseParams><LicenseeIdentities><string>a@corp.test</string></LicenseeIdentities>" +
                               CERTS.format("IssuanceLicense") + "<ApplicationData/></AcquirePreLicenseParams></RequestParams>")
GET_CLC = Operation("GetClientLicensorCert", LICENSING + "publish.asmx", "PublishingService",
                    "<RequestParams><GetClientLicensorCertParams>" + CERTS.format("PersonaCerts") + "</GetClientLicensorCertParams></RequestParams>")
ACQUIRE_IL = Operation("AcquireIssuanceLicense", LICENSING + "publish.asmx", "PublishingService",
                       "<RequestParams><AcquireIssuanceLicenseParams><UnsignedIssuanceLicense><XrML xmlns=\"\"/></UnsignedIssuanceLicense>"
                       "</AcquireIssuanceLicenseParams></RequestParams>")
TEMPLATE_INFORMATION = Operation("AcquireTemplateInformation", LICENSING + "templatedistribution.asmx", "TemplateDistributionService",
                                 retry_safe=True)
TEMPLATES = Operation("AcquireTemplates", LICENSING + "templatedistribution.asmx", "TemplateDistributionService",
                      "<guids><string>{8eb0a8ad-0de5-4d1f-8bc9-6c1e6a1b7a25}</string></guids>", retry_safe=True)
LICENSOR_CERTIFICATE = Operation("GetLicensorCertificate", LICENSING + "server.asmx", "ServerService", retry_safe=True,
                                 paths=(CERTIFICATION + "server.asmx",))
SERVER_INFO = Operation("GetServerInfo", CERTIFICATION + "server.asmx", "ServerService",
                        "<requests><ServerInfoRequest><Type>VersionInfo</Type></ServerInfoRequest></requests>", retry_safe=True,
                        version="", paths=(LICENSING + "server.asmx",))
LOCATIONS = Operation("FindServiceLocations", CERTIFICATION + "server.asmx", "ServerService", LOCATE, retry_safe=True,
                      version="1.2.0.0", paths=(LICENSING + "server.asmx",))
LOCATIONS_FOR_USER = Operation("FindServiceLocationsForUser", LICENSING + "servicelocator.asmx", "ServiceLocatorService", LOCATE,
                               retry_safe=True, version="1.0.0.0", paths=(CERTIFICATION + "servicelocator.asmx",))
LOCATIONS_FOR_USER_OLD = Operation("FindServiceLocationsForUser", CERTIFICATION + "servicelocator.asmx", "ServerService", LOCATE,
                                   retry_safe=True, version="1.0.0.0", paths=(LICENSING + "servicelocator.asmx",))

OPERATIONS = (CERTIFY, ACQUIRE_LICENSE, ACQUIRE_PRELICENSE, GET_CLC, ACQUIRE_IL, TEMPLATE_INFORMATION, TEMPLATES,
              LICENSOR_CERTIFICATE, SERVER_INFO, LOCATIONS, LOCATIONS_FOR_USER, LOCATIONS_FOR_USER_OLD)
RETRY_SAFE = tuple(op for op in OPERATIONS if op.retry_safe)
RETRY_NEVER = tuple(op for op in OPERATIONS if not op.retry_safe)


def op_id(op):
    return f"{op.name}-{op.namespace}" if isinstance(op, Operation) else str(op)


def _envelope(version, header, body):
    return (f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP_11 if version == 11 else SOAP_12}">'
            f"{header}<soap:Body>{body}</soap:Body></soap:Envelope>").encode()


def request_body(op, version=11, padding=0):
    """padding: that many further bytes, in a comment, so that a message can have any size."""
    data = f"<VersionData xmlns=\"{BASE}{op.namespace}\"><MinimumVersion>{op.version}</MinimumVersion>" \
           f"<MaximumVersion>{op.version}</MaximumVersion></VersionData>" if op.version else ""
    fill = f"<!--{'x' * (padding - 7)}-->" if padding >= 7 else ""
    return _envelope(version, f"<soap:Header>{data}</soap:Header>" if data else "",
                     f'<{op.name} xmlns="{BASE}{op.namespace}">{op.inside}{fill}</{op.name}>')


def answer_body(op, version=11, padding=0):
    fill = f"<!--{'y' * (padding - 7)}-->" if padding >= 7 else ""
    return _envelope(version, "", f'<{op.name}Response xmlns="{BASE}{op.namespace}"><{op.name}Result/>{fill}</{op.name}Response>')


def fault_body(text, version=11):
    if version == 11:
        return _envelope(11, "", f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring><detail/></soap:Fault>")
    return _envelope(12, "", f"<soap:Fault><soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code><soap:Reason>"
                     f'<soap:Text xml:lang="en">{text}</soap:Text></soap:Reason></soap:Fault>')


def content_headers(op, version=11):
    if version == 11:
        return [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", f'"{op.action}"')]
    return [("Content-Type", f'application/soap+xml; charset=utf-8; action="{op.action}"')]


def request(op, version=11, body=None, path=None, host="rmsconnector.corp.test", headers=(), http="1.1", method="POST", chunks=None,
            without=(), padding=0):
    """A whole request as bytes. chunks: sizes of the chunks to send it in. without: names of usual headers to leave out."""
    body = request_body(op, version, padding) if body is None else body
    lines = [("Host", host), ("User-Agent", "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 4.0.30319.42000)"),
             *content_headers(op, version)]
    if chunks is None:
        lines.append(("Content-Length", str(len(body))))
        framed = body
    else:
        lines.append(("Transfer-Encoding", "chunked"))
        framed = chunked(body, chunks)
    gone = {name.lower() for name in without}
    lines = [(n, v) for n, v in lines if n.lower() not in gone] + list(headers)
    head = f"{method} {path or op.path} HTTP/{http}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines)
    return head.encode("latin-1") + b"\r\n" + framed


def chunked(body, sizes, extension=b"", trailers=b""):
    """sizes: one size for all chunks, or a list of them; the rest is one more chunk."""
    out, at = [], 0
    sizes = iter([sizes] * (len(body) // sizes + 1) if isinstance(sizes, int) else sizes)
    while at < len(body):
        piece = body[at:at + next(sizes, len(body))]
        out.append(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece))
        at += len(piece)
    return b"".join(out) + b"0\r\n" + trailers + b"\r\n"
