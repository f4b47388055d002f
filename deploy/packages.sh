# Debian packages, by what needs them; read by tests/check and deploy/quickstart. Packages are installed only when one is missing.
# shellcheck shell=bash

. /etc/os-release
case "${VERSION_ID:-12}" in
12) packages_llhttp=node-llhttp ;;
*) packages_llhttp=libllhttp-dev ;;
esac

packages_build="gcc libc6-dev cmake ninja-build pkg-config ca-certificates libuv1-dev libc-ares-dev libexpat1-dev libyaml-dev
	libjansson-dev liblmdb-dev libkrb5-dev libldap-dev libsasl2-dev android-libboringssl-dev $packages_llhttp"
packages_try="$packages_build openssl python3 curl krb5-kdc krb5-admin-server krb5-user"
packages_test="$packages_try python3-gssapi git ccache clang clang-format clang-tidy llvm libcmocka-dev
	python3-pytest python3-pytest-timeout python3-pytest-xdist python3-yaml python3-jsonschema prometheus procps libclang-rt-dev
	haproxy nginx libnginx-mod-stream squid tinyproxy"
# A real Active Directory for the tests (tests/support/adlab): controllers, a member with winbind, and their clients. The last line are SOAP clients that
# are not ours (tests/scenario/test_clients.py): 58 small packages, 13 MB to fetch, 51 MB on disk, 30 s of one processor to install.
packages_lab="samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind krb5-user ldap-utils smbclient
	python3-samba libsasl2-modules-gssapi-mit ldb-tools iproute2 util-linux
	mono-mcs libmono-system-web-services4.0-cil python3-zeep python3-requests-kerberos python3-requests-ntlm"

# packages_missing NAME...: those that are not installed, one a line.
packages_missing() {
	local name
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
	done
}

# packages_install NAME...: installs what is missing, asks nothing. As root; otherwise says what root should run.
packages_install() {
	local missing
	mapfile -t missing < <(packages_missing "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		printf 'These Debian packages are missing. Install them, then run this again:\n\n' >&2
		printf '    sudo apt-get install --no-install-recommends %s\n\n' "${missing[*]}" >&2
		case " ${missing[*]} " in
		*' krb5-kdc '*) printf 'Its Kerberos services are not needed, only the programs: sudo systemctl disable --now krb5-kdc krb5-admin-server\n\n' >&2 ;;
		esac
		return 1
	fi
	# Some packages (krb5-kdc, prometheus) bring services and nothing here wants them running, now or after the next start of the machine. A
	# policy that was there before stays.
	local policy='' status=0
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	printf 'installing: %s\n' "${missing[*]}"
	packages_apt update && packages_apt install -y --no-install-recommends "${missing[@]}" || status=1
	[ -z "$policy" ] || rm -f "$policy"
	[ $status -ne 0 ] || packages_services_off "${missing[@]}"
	return $status
}

# packages_services_off NAME...: services of packages that were not there before.
packages_services_off() {
	local units
	command -v systemctl >/dev/null || return 0
	mapfile -t units < <(dpkg-query -L "$@" 2>/dev/null | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.service\)$|\2|p')
	[ "${#units[@]}" -eq 0 ] || systemctl disable --quiet "${units[@]}" 2>/dev/null || true
}

packages_apt() {
	local log
	log=$(mktemp)
	if ! DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" >"$log" 2>&1; then
		printf 'apt-get %s failed:\n' "$1" >&2
		tail -n 20 "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}
