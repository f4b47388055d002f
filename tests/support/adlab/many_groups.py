"""A user in many groups of a running domain: many_groups.py SMB.CONF SAM.LDB NAME PASSWORD COUNT. Runs with Debian's Python. What is there already stays."""

import sys

from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB


def main():
    configuration, database, name, password, count = sys.argv[1:]
    lp = LoadParm()
    lp.load(configuration)
    db = SamDB(url=database, lp=lp, session_info=system_session())
    if db.search(base=db.domain_dn(), expression=f"(sAMAccountName={name})"):
        return
    db.transaction_start()
    db.newuser(name, password)
    dn = str(db.search(base=db.domain_dn(), expression=f"(sAMAccountName={name})")[0].dn)
    for number in range(int(count)):
        group = f"{name} {number:04}"
        db.add({"dn": f"CN={group},CN=Users,{db.domain_dn()}", "objectClass": "group", "sAMAccountName": group, "member": dn,
                "groupType": str(dsdb.GTYPE_SECURITY_UNIVERSAL_GROUP)})
    db.transaction_commit()


if __name__ == "__main__":
    main()
