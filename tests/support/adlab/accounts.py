"""Fills a fresh domain (offline, into its database): accounts.py DOMAIN SMB.CONF SAM.LDB. Runs with Debian's Python, which has Samba's modules."""

import sys

import ldb
from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

import people

AES = "24"
KINDS = {"universal": dsdb.GTYPE_SECURITY_UNIVERSAL_GROUP, "global": dsdb.GTYPE_SECURITY_GLOBAL_GROUP,
         "local": dsdb.GTYPE_SECURITY_DOMAIN_LOCAL_GROUP, "distribution": dsdb.GTYPE_DISTRIBUTION_UNIVERSAL_GROUP}


def replace(db, dn, **values):
    message = ldb.Message(dn)
    for name, value in values.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name.replace("_", "-"))
    db.modify(message)


def named(db, name, *attributes):
    return db.search(base=db.domain_dn(), expression=f"(sAMAccountName={name})", attrs=list(attributes) or ["cn"])[0]


def fill(db, domain):
    db.set_minPwdAge("0")
    db.set_maxPwdAge("0")
    db.set_pwdProperties("0")
    for name in domain.computers:
        db.newcomputer(name.rstrip("$"))
    for name, password in domain.users.items():
        db.newuser(name, password)
    for kind, members in domain.groups.values():
        for name in members:
            if name.startswith("many"):
                db.newuser(name, None, setpassword=False)
    if domain is people.CORP:
        db.add({"dn": f"CN={people.GMSA[:-1]},CN=Managed Service Accounts,{db.domain_dn()}", "sAMAccountName": people.GMSA,
                "objectClass": "msDS-GroupManagedServiceAccount", "userAccountControl": "4096",
                "msDS-ManagedPasswordInterval": "30"})
    for name, (kind, members) in domain.groups.items():
        db.newgroup(name, grouptype=KINDS[kind])
        if members:
            db.add_remove_group_members(name, members)
    for name, services in domain.services.items():
        replace(db, named(db, name).dn, servicePrincipalName=services)
    # Without this, set before the password, an account's keys are RC4 alone.
    known = [*domain.users, *domain.computers, *([people.GMSA] if domain is people.CORP else [])]
    for name in known:
        replace(db, named(db, name).dn, msDS_SupportedEncryptionTypes=AES)
        db.setpassword(f"(sAMAccountName={name})", people.password(name, domain))
    for name in people.DISABLED if domain is people.CORP else []:
        found = named(db, name, "userAccountControl")
        replace(db, found.dn, userAccountControl=str(int(str(found["userAccountControl"])) | 2))
    if domain is people.CORP:
        rid = str(named(db, "Primary Club", "primaryGroupToken")["primaryGroupToken"])
        replace(db, named(db, "dave").dn, primaryGroupID=rid)


def main():
    which, configuration, database = sys.argv[1:]
    lp = LoadParm()
    lp.load(configuration)
    db = SamDB(url=database, lp=lp, session_info=system_session())
    db.transaction_start()
    fill(db, people.DOMAINS[which])
    db.transaction_commit()


if __name__ == "__main__":
    main()
