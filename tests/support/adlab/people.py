"""Who is in the laboratory's two domains. Read by accounts.py, which makes them, and by the tests, which become them."""

import collections

Domain = collections.namedtuple("Domain", "realm name host address computers users groups services")

ADMINISTRATOR = "Adm1n.Passw0rd!"
SERVICE = "HTTP/rmsconnector.corp.test"
CONNECTOR = "svc-rms"
GMSA = "gmsa-sp$"
MANY = 650  # members of the group Many: more than one page of an answer

# name: password. A name without a row in groups is in no group of ours.
CORP = Domain(
    "CORP.TEST", "CORP", "dc1", "127.0.0.10",
    computers={"SRV1$": "Srv1.Machine.Pw", "SRV2$": "Srv2.Machine.Pw", "FS01$": "Fs01.Machine.Pw", "OLD1$": "Old1.Machine.Pw"},
    users={"alice": "Al1ce.Passw0rd", "bob": "B0b.Passw0rd", "carol": "Car0l.Passw0rd", "dave": "Dav3.Passw0rd",
           "svc-sp": "Sharep0int.Pw", "svc-web": "Shar3point.Pw2", "twin": "Tw1n.Passw0rd", "leaver": "L3aver.Passw0rd", "leaver2": "L3aver2.Passw0rd",
           CONNECTOR: "Svc.Passw0rd1"},
    groups={  # name: (kind, members)
        "Exchange Servers": ("universal", ["SRV1$", "SRV2$"]),
        "RMS Connector Clients": ("universal", ["Exchange Servers", "alice", "carol"]),
        "SharePoint Web": ("distribution", ["svc-web"]),
        "SharePoint Mail": ("distribution", ["SharePoint Web", "svc-sp"]),
        "File Servers Local": ("local", ["FS01$"]),
        "Primary Club": ("global", ["dave"]),
        "Many": ("global", [f"many{n:04}" for n in range(MANY)]),
        "Trusted Friends": ("local", []),
        "Leavers": ("global", ["leaver", "leaver2"]),
    },
    services={CONNECTOR: [SERVICE], "DC1$": ["ldap/dc1.corp.test"]})
PARTNER = Domain(
    "PARTNER.TEST", "PARTNER", "dc2", "127.0.0.20", computers={"PSRV1$": "Psrv1.Machine.Pw"},
    users={"gustav": "Gustav.Passw0rd", "twin": "Tw1n.Passw0rd2"},
    groups={"Partner Servers": ("universal", ["PSRV1$"])}, services={"DC2$": ["ldap/dc2.partner.test"]})
DISABLED = ["carol", "OLD1$"]
DOMAINS = {"corp": CORP, "partner": PARTNER}


def password(account, domain=CORP):
    known = {**domain.users, **domain.computers, GMSA: "Gmsa.Passw0rd1", "administrator": ADMINISTRATOR}
    return known[account]
