#include "core/relay/this_host.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { NETBIOS_NAME_BYTES = 15, HOSTS_BYTES = 64 * 1024 };

/* Names of computers and domains without DNS are cut to that. */
static bool is_short_name(const char *name, size_t len, const char *dns)
{
	size_t label = strcspn(dns, ".");
	if (label > NETBIOS_NAME_BYTES)
		label = NETBIOS_NAME_BYTES;
	return label == len && strncasecmp(name, dns, len) == 0;
}

bool host_is_account(const char *host, const char *domain, const char *account, const char *principal)
{
	const char *slash = strrchr(account, '\\'), *own = slash ? slash + 1 : account;
	size_t len = strcspn(own, "@");
	if (len < 2 || own[len - 1] != '$' || !is_short_name(own, len - 1, host))
		return false;
	const char *realm = strrchr(principal, '@');
	if (!*domain)
		return true;
	if (realm)
		return strcasecmp(realm + 1, domain) == 0;
	return !slash || is_short_name(account, (size_t)(slash - account), domain);
}

/* The first name behind the address is the full one: "127.0.1.1 node1.corp.test node1". */
static bool line_names(struct slice line, const char *host, char out[static HOST_BYTES])
{
	struct slice full = {NULL, 0}, name;
	size_t host_len = strcspn(host, "."), words = 0;
	bool found = false;
	line = slice_until(line, slice_find(line, '#'));
	for (size_t at = 0; at < line.len; words++) {
		while (at < line.len && (line.at[at] == ' ' || line.at[at] == '\t' || line.at[at] == '\r'))
			at++;
		size_t begin = at;
		while (at < line.len && line.at[at] != ' ' && line.at[at] != '\t' && line.at[at] != '\r')
			at++;
		name = slice_of(line.at + begin, at - begin);
		if (words == 1)
			full = name;
		if (words >= 1)
			found |= slice_find(name, '.') == host_len && strncasecmp(name.at, host, host_len) == 0;
	}
	size_t dot = slice_find(full, '.');
	if (!found || dot + 1 >= full.len || full.len >= HOST_BYTES || dot != host_len ||
	    strncasecmp(full.at, host, host_len))
		return false;
	snprintf(out, HOST_BYTES, "%.*s", (int)(full.len - dot - 1), full.at + dot + 1);
	return true;
}

bool host_domain_in(struct slice hosts, const char *host, char out[static HOST_BYTES])
{
	while (hosts.len) {
		size_t end = slice_find(hosts, '\n');
		if (line_names(slice_until(hosts, end), host, out))
			return true;
		hosts = end < hosts.len ? slice_from(hosts, end + 1) : slice_of(NULL, 0);
	}
	return false;
}

static struct {
	pthread_once_t once;
	char name[HOST_BYTES], domain[HOST_BYTES];
} host = {.once = PTHREAD_ONCE_INIT};

/* No name service is asked: its libraries do not belong into this process. */
static void look(void)
{
	static char hosts[HOSTS_BYTES];
	if (gethostname(host.name, sizeof(host.name) - 1))
		return;
	const char *dot = strchr(host.name, '.');
	if (dot) {
		snprintf(host.domain, sizeof(host.domain), "%s", dot + 1);
		return;
	}
	int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, hosts, sizeof(hosts));
	if (fd >= 0)
		close(fd);
	if (n > 0 && !host_domain_in(slice_of(hosts, (size_t)n), host.name, host.domain))
		host.domain[0] = 0;
}

bool this_host_is(const char *account, const char *principal)
{
	pthread_once(&host.once, look);
	return host_is_account(host.name, host.domain, account, principal);
}
