#!/bin/bash
# A real Active Directory on loopback: two domains that trust each other (CORP.TEST, PARTNER.TEST; Samba) and a member of the first with
# winbindd. Everything is in network, mount and process namespaces of its own, so no port and no file of this machine is touched.
#
#   lab.sh provision DIR    makes the domains' files in DIR; once, kept
#   lab.sh serve DIR        runs what is in DIR until nobody holds DIR/users (flock) any more; DIR/corp.ready, DIR/partner.ready
#
# The process that was started stays in front of it all: enter its network and mount namespaces (nsenter) to be a machine of the member's.
set -eu
here=$(dirname "$(readlink -f "$0")")
what=$1
L=$(readlink -f "$2")
PY=/usr/bin/python3 # samba's modules belong to Debian's Python
export KRB5_CONFIG=$L/krb5.conf

realm_of() { [ "$1" = corp ] && echo CORP.TEST || echo PARTNER.TEST; }
host_of() { [ "$1" = corp ] && echo dc1 || echo dc2; }
address_of() { [ "$1" = corp ] && echo 127.0.0.10 || echo 127.0.0.20; }

until_ok() {
	local name=$1 end=$((SECONDS + 60))
	shift
	until "$@" >"$L/log/wait.$name" 2>&1; do
		if [ $SECONDS -ge $end ]; then
			echo "not ready after 60 s: $*: $(tail -n 1 "$L/log/wait.$name")" >&2
			return 1
		fi
		sleep 0.1
	done
}

# ---- the machine ----

settle() {
	ip link set lo up
	mkdir -p "$L"/log "$L"/corp.run "$L"/partner.run "$L"/member/{private,state,cache,lock,run,log} /run/samba
	cat >"$L/hosts" <<-H
		127.0.0.1 localhost
		127.0.0.10 dc1.corp.test dc1
		127.0.0.20 dc2.partner.test dc2
		127.0.0.11 srvm.corp.test srvm
		127.0.0.1 rmsconnector.corp.test rmsconnector
	H
	printf 'search corp.test\nnameserver 127.0.0.10\noptions timeout:2 attempts:2\n' >"$L/resolv.conf"
	cat >"$KRB5_CONFIG" <<-K
		[libdefaults]
		    default_realm = CORP.TEST
		    dns_lookup_realm = false
		    dns_lookup_kdc = false
		    dns_canonicalize_hostname = false
		    rdns = false
		    udp_preference_limit = 1
		[realms]
		    CORP.TEST = {
		        kdc = 127.0.0.10
		        kpasswd_server = 127.0.0.10
		    }
		    PARTNER.TEST = {
		        kdc = 127.0.0.20
		        kpasswd_server = 127.0.0.20
		    }
		[domain_realm]
		    .corp.test = CORP.TEST
		    corp.test = CORP.TEST
		    .partner.test = PARTNER.TEST
		    partner.test = PARTNER.TEST
	K
	mount --bind "$L/hosts" /etc/hosts
	mount --bind "$L/resolv.conf" /etc/resolv.conf
}

controller_conf() {
	local which=$1 D=$L/$1 realm domain
	realm=$(realm_of "$which") domain=${which^^}
	mkdir -p "$D/etc"
	cat >"$D/etc/smb.conf" <<-S
		[global]
		    workgroup = $domain
		    realm = $realm
		    netbios name = $(host_of "$which")
		    server role = active directory domain controller
		    interfaces = $(address_of "$which")/8
		    bind interfaces only = yes
		    disable netbios = yes
		    smb ports = 445
		    dns forwarder =
		    server services = rpc, ldap, cldap, kdc, winbindd, dns, s3fs
		    ldap server require strong auth = yes
		    private dir = $D/private
		    state directory = $D/state
		    cache directory = $D/cache
		    lock directory = $D
		    log file = $L/log/$which.%m
		    logging = file
		    log level = 1
		    load printers = no
		    printing = bsd
		[sysvol]
		    path = $D/state/sysvol
		    read only = No
		[netlogon]
		    path = $D/state/sysvol/${realm,,}/scripts
		    read only = No
	S
}

member_conf() {
	local M=$L/member
	cat >"$M/smb.conf" <<-S
		[global]
		    netbios name = SRVM
		    workgroup = CORP
		    realm = CORP.TEST
		    security = ads
		    interfaces = 127.0.0.11/8
		    bind interfaces only = yes
		    disable netbios = yes
		    password server = 127.0.0.10
		    name resolve order = host
		    private dir = $M/private
		    state directory = $M/state
		    cache directory = $M/cache
		    lock directory = $M/lock
		    log file = $M/log/log.%m
		    logging = file
		    log level = 1
		    idmap config * : backend = tdb
		    idmap config * : range = 100000-199999
	S
}

# ---- services; each controller sees its own /run/samba, because Samba's clients look for winbindd nowhere else ----

start_controller() {
	local which=$1
	controller_conf "$which"
	printf 'nameserver %s\noptions timeout:2 attempts:2\n' "$(address_of "$which")" >"$L/$which.resolv.conf"
	unshare --mount --propagation private bash -c '
		mount --bind "$1" /run/samba
		mount --bind "$2" /etc/resolv.conf
		exec samba --foreground --no-process-group -s "$3"' _ "$L/$which.run" "$L/$which.resolv.conf" "$L/$which/etc/smb.conf" \
		>"$L/log/samba.$which" 2>&1 &
}

await_controller() {
	local which=$1 realm host cache=FILE:$L/cc.wait.$1
	realm=$(realm_of "$which") host=$(host_of "$which")
	until_ok "$which.kdc" kinit -k -t "$L/$which.keytab" -c "$cache" "Administrator@$realm"
	export KRB5CCNAME=$cache
	until_ok "$which.ldap" ldapsearch -Q -Y GSSAPI -N -H "ldap://$host.${realm,,}" -b '' -s base defaultNamingContext
	until_ok "$which.smb" smbclient -s "$L/member/smb.conf" -L "//$host.${realm,,}" --use-krb5-ccache="$cache"
}

start_member() {
	winbindd --foreground --no-process-group -s "$L/member/smb.conf" >"$L/member/log/winbindd" 2>&1 &
	until_ok winbindd wbinfo -t
}

# ---- making it ----

provision() {
	local which=$1 D=$L/$1
	samba-tool domain provision --configfile=/dev/null --targetdir="$D" --realm="$(realm_of "$which")" --domain="${which^^}" \
		--host-name="$(host_of "$which")" --host-ip="$(address_of "$which")" --server-role=dc --dns-backend=SAMBA_INTERNAL \
		--adminpass="$ADMINISTRATOR" --option="interfaces = $(address_of "$which")" --option='bind interfaces only = yes' \
		--option='dns forwarder = '
	mkdir -p "$D/private/tls" # else samba makes a key of its own at its first start, slowly
	local name
	name=$(host_of "$which").$(realm_of "$which")
	openssl req -x509 -nodes -newkey rsa:2048 -days 3650 -subj "/CN=${name,,}" \
		-addext "subjectAltName=DNS:${name,,},IP:$(address_of "$which")" -keyout "$D/private/tls/key.pem" -out "$D/private/tls/cert.pem"
	cp "$D/private/tls/cert.pem" "$D/private/tls/ca.pem"
	chmod 600 "$D/private/tls/key.pem"
	controller_conf "$which"
	$PY "$here/accounts.py" "$which" "$D/etc/smb.conf" "$D/private/sam.ldb"
	keytab "$which" "$L/$which.keytab" Administrator
	[ "$which" = corp ] || return 0
	keytab corp "$L/http.keytab" HTTP/rmsconnector.corp.test
	keytab corp "$L/authd.keytab" HTTP/rmsconnector.corp.test
	keytab corp "$L/authd.keytab" svc-rms # a controller gives a ticket to the account's own name, not to its services'
}

keytab() { # DOMAIN FILE PRINCIPAL
	samba-tool domain exportkeytab "$2" --principal="$3" -s "$L/$1/etc/smb.conf"
}

# Each domain's DNS gets the few names by which the other one is found; then the trust itself, and one foreign member.
make_trust() {
	local which other zone host ip
	for which in corp partner; do
		[ $which = corp ] && other=partner || other=corp
		zone=$(realm_of $other) zone=${zone,,} host=$(host_of $other) ip=$(address_of $other)
		dns() { samba-tool dns "$@" -s "$L/$which/etc/smb.conf" -U "administrator%$ADMINISTRATOR"; }
		dns zonecreate "$(address_of $which)" "$zone"
		dns add "$(address_of $which)" "$zone" "$host" A "$ip"
		for name in _ldap._tcp _ldap._tcp.dc._msdcs _ldap._tcp.pdc._msdcs; do
			dns add "$(address_of $which)" "$zone" $name SRV "$host.$zone 389 0 100"
		done
		for name in _kerberos._tcp _kerberos._udp _kerberos._tcp.dc._msdcs; do
			dns add "$(address_of $which)" "$zone" $name SRV "$host.$zone 88 0 100"
		done
	done
	mount --bind "$L/corp.run" /run/samba # from here on we are the first controller
	samba-tool domain trust create PARTNER.TEST --type=forest --direction=both --create-location=both \
		-U "administrator@PARTNER.TEST%$ADMINISTRATOR" -s "$L/corp/etc/smb.conf"
	umount /run/samba
}

make() {
	ADMINISTRATOR=$(cd "$here" && $PY -c 'import people; print(people.ADMINISTRATOR)')
	provision corp >"$L/log/provision.corp" 2>&1 &
	local first=$!
	provision partner >"$L/log/provision.partner" 2>&1
	wait $first
	start_controller corp
	start_controller partner
	await_controller corp
	await_controller partner
	net ads join -s "$L/member/smb.conf" -U "administrator%$ADMINISTRATOR" --no-dns-updates >"$L/log/join" 2>&1
	make_trust >"$L/log/trust" 2>&1
}

# ---- the two commands, as the first process of the process namespace ----

inside() {
	mount --make-rprivate /
	mount -t proc proc /proc
	trap 'echo "failed in line $LINENO" >&2' ERR
	if [ "$what" = provision ]; then
		make
		return
	fi
	start_controller corp
	start_controller partner
	await_controller corp
	start_member
	touch "$L/corp.ready"
	await_controller partner
	touch "$L/partner.ready"
	while ! flock --nonblock --exclusive "$L/users" true; do
		sleep 0.3
	done
}

case ${ADLAB:-} in
'') ADLAB=machine exec unshare --net --mount --propagation private "$0" "$@" ;;
machine)
	settle
	member_conf
	mount --bind "$L/member/run" /run/samba
	mount --bind "$L/member/smb.conf" /etc/samba/smb.conf
	# This process stays outside of the process namespace, so that those who enter its mounts see their own /proc.
	ADLAB=inside exec unshare --pid --fork --kill-child "$0" "$@"
	;;
inside) ADLAB=mounts exec unshare --mount --propagation private "$0" "$@" ;;
mounts) inside ;;
esac
