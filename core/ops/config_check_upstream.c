#include "core/ops/config_check.h"

#include "core/base/address.h"
#include "proto/clouds.h"
#include "proto/proxy_connect.h"
#include "proto/uri.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- the service ---- */

static bool is_loopback_name(const char *host)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return address_is_loopback((struct sockaddr *)&v4);
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		return address_is_loopback((struct sockaddr *)&v6);
	return strcmp(host, "localhost") == 0;
}

static bool plain_is_allowed(const char *host)
{
#ifdef RMS_TEST_SWITCHES
	return is_loopback_name(host);
#else
	(void)is_loopback_name;
	return false;
#endif
}

static const char *url_problem(const struct uri *uri)
{
	if (strstr(uri->host, "guid.rms.") || strstr(uri->host, "rms.region."))
		return "is the example's: put in your tenant's, which Get-AipServiceConfiguration shows as "
		       "LicensingIntranetDistributionPointUrl";
	if (!uri->tls && !plain_is_allowed(uri->host))
		return "must begin with https://: over plain HTTP licences and credentials could be read on the way";
	if (uri->path.len > 1 && !(uri->path.len >= 6 && strncasecmp(uri->path.at, "/_wmcs", 6) == 0 &&
	                           (uri->path.len == 6 || uri->path.at[6] == '/')))
		return "must end behind the host name: https://GUID.rms.REGION.aadrm.com";
	const struct cloud *c = cloud_of_host(uri->host);
	if (cloud_of_login(uri->host))
		return "names the login service: put in the tenant's RMS service, https://GUID.rms.REGION.aadrm.com, "
		       "which "
		       "Get-AipServiceConfiguration shows as LicensingIntranetDistributionPointUrl";
	if (c && !cloud_host_is_tenant(c, uri->host))
		return "names a host that is no tenant's: those are GUID.rms.REGION.aadrm.com (or .us, .cn), as "
		       "Get-AipServiceConfiguration shows in LicensingIntranetDistributionPointUrl; api., admin. and "
		       "discover. are other services";
	return NULL;
}

/* The cloud decides which login service is asked for tokens, and for what. */
static void check_cloud(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct config_place place = config_place_of(at, SETTING_upstream_cloud);
	const struct cloud *c = cloud_find(slice_str(s->upstream_cloud)), *other;
	struct uri uri;
	if (!c) {
		config_problem(p, place, "upstream.cloud is %s, which is none of the clouds: %s", s->upstream_cloud,
		               cloud_names());
		return;
	}
	if (!uri_parse(slice_str(s->upstream_url), &uri) && (other = cloud_of_host(uri.host)) && other != c &&
	    *c->suffix && cloud_host_is_tenant(other, uri.host))
		config_problem(
		        p, at->row[SETTING_upstream_cloud].line ? place : config_place_of(at, SETTING_upstream_url),
		        "upstream.url is a host of %s, but upstream.cloud is %s: tokens would be asked for at %s. "
		        "Write cloud: %s below upstream:",
		        other->name, c->name, c->login, other->name);
	for (size_t i = 0; i < s->credential_count; i++) {
		const struct credential_settings *k = &s->credentials[i];
		bool token = k->kind == CREDENTIAL_OAUTH2_SECRET || k->kind == CREDENTIAL_OAUTH2_CERTIFICATE;
		if (token && ((!*c->login && !k->login_url) || (!*c->scope && !k->scope)))
			config_problem(
			        p, at->credential[i],
			        "the addresses of %s are not public, so this credential needs login_url and scope",
			        c->name);
	}
}

/* Segments of plain characters, each behind a slash: it goes into the request line as it is. */
static void check_path(const char *path, struct config_place place, struct config_problems *p)
{
	size_t n = strlen(path);
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
	if (path[0] != '/' || path[n - 1] == '/' || strspn(path, plain) != n || strstr(path, "//") ||
	    strstr(path, "/."))
		config_problem(p, place,
		               "upstream.path must be like /_wmcs or /_wmcs/oauth2: a slash before each part, "
		               "none at the end");
}

static void check_url(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct config_place place = config_place_or(at->row[SETTING_upstream_url], at->upstream);
	struct uri uri;
	if (!*s->upstream_url) {
		config_problem(p, place,
		               "upstream.url is missing. It is your tenant's address: run Get-AipServiceConfiguration "
		               "(PowerShell "
		               "module AIPService), take LicensingIntranetDistributionPointUrl, and write url: "
		               "https://... below "
		               "upstream:");
		return;
	}
	const char *wrong = uri_parse(slice_str(s->upstream_url), &uri);
	if (wrong && !strstr(s->upstream_url, "://")) {
		config_problem(p, place, "upstream.url is not right: it must begin with https:// - write https://%s",
		               s->upstream_url);
		return;
	}
	if (wrong) {
		config_problem(p, place, "upstream.url is not right: %s", wrong);
		return;
	}
	wrong = url_problem(&uri);
	if (wrong) {
		config_problem(p, place, "upstream.url %s", wrong);
		return;
	}
	/* The service's documents name it with a path; all paths are the callers'. */
	char origin[300], port[8] = "";
	if (uri.port != (uri.tls ? 443 : 80))
		snprintf(port, sizeof(port), ":%u", uri.port);
	bool v6 = strchr(uri.host, ':');
	snprintf(origin, sizeof(origin), "%s://%s%s%s%s", uri.tls ? "https" : "http", v6 ? "[" : "", uri.host,
	         v6 ? "]" : "", port);
	check_path(s->upstream_path, config_place_of(at, SETTING_upstream_path), p);
	if (uri.path.len > 1)
		config_warning(p, place,
		               "upstream.url is used as %s: what stands behind the host name is in callers' requests",
		               origin);
	if (!settings_set_text(s, SETTING_upstream_url, origin, strlen(origin)))
		config_problem(p, place, "there is not enough memory");
}

static bool is_name_server(struct slice s)
{
	char text[80];
	struct sockaddr_storage a;
	struct in6_addr v6;
	if (s.len == 0 || s.len > 64)
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = 0;
	if (inet_pton(AF_INET, text, &v6) == 1 || inet_pton(AF_INET6, text, &v6) == 1)
		return true;
	return text[0] != ':' && text[0] != '*' && !address_parse(text, &a).code && config_port_of(&a) != 0;
}

/* ---- the web proxy ---- */

static void check_proxy_url(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct config_place place = config_place_of(at, SETTING_proxy_url);
	struct uri uri;
	const char *wrong = uri_parse(slice_str(s->proxy_url), &uri);
	if (wrong && strchr(s->proxy_url, '@'))
		config_problem(p, place,
		               "proxy.url must not hold a user name or password: give proxy.user and "
		               "proxy.password_file");
	else if (wrong)
		config_problem(p, place, "proxy.url is not right: %s. Write http://HOST:PORT", wrong);
	else if (uri.path.len > 1)
		config_problem(p, place,
		               "proxy.url must end behind the port: http://HOST:PORT. Files that tell a browser "
		               "its proxy (.pac) are not read");
	else if (uri.tls)
		config_warning(p, place,
		               "proxy.url begins with https://, which is taken as http://: the node asks the proxy in "
		               "plain HTTP (CONNECT), and has TLS with the service through it");
}

static void check_proxy(const struct settings *s, const struct config_places *at, struct config_problems *p)
{
	struct slice entry;
	const char *wrong = proxy_bypass_check(slice_str(s->proxy_bypass), &entry);
	if (wrong)
		config_problem(p, config_place_of(at, SETTING_proxy_bypass), "proxy.bypass: \"%.*s\" is not right: %s",
		               SLICE_ARG(entry), wrong);
	if (*s->proxy_url) {
		check_proxy_url(s, at, p);
	} else {
		static const enum setting_id alone[] = {SETTING_proxy_user, SETTING_proxy_password_file,
		                                        SETTING_proxy_bypass};
		for (size_t i = 0; i < ARRAY_COUNT(alone); i++)
			if (*settings_get_text(s, alone[i]))
				config_warning(p, config_place_of(at, alone[i]),
				               "proxy.%s does nothing without proxy.url", setting_rows[alone[i]].name);
	}
	if (*s->proxy_user && !*s->proxy_password_file)
		config_problem(p, config_place_of(at, SETTING_proxy_user),
		               "proxy.user needs proxy.password_file, a file that holds the password");
	if (*s->proxy_password_file && !*s->proxy_user)
		config_problem(p, config_place_of(at, SETTING_proxy_password_file),
		               "proxy.password_file needs proxy.user, whose password it is");
	if (strchr(s->proxy_user, ':'))
		config_problem(p, config_place_of(at, SETTING_proxy_user),
		               "proxy.user has a colon in it, which Basic cannot carry (RFC 7617 2)");
}

void config_check_upstream(struct settings *s, const struct config_places *at, struct config_problems *p)
{
	check_cloud(s, at, p);
	check_url(s, at, p);
	check_proxy(s, at, p);
	for (struct slice rest = slice_str(s->upstream_dns_servers); rest.len;) {
		size_t comma = slice_find(rest, ',');
		if (!is_name_server(slice_trim(slice_until(rest, comma)))) {
			config_problem(
			        p, config_place_of(at, SETTING_upstream_dns_servers),
			        "upstream.dns_servers must be numeric addresses with commas between them: 10.0.0.53 or "
			        "10.0.0.53:53, [2001:db8::53]:53");
			break;
		}
		rest = slice_from(rest, comma + 1);
	}
	if (s->upstream_total_timeout_ms < s->upstream_first_byte_ms)
		config_warning(
		        p, config_place_of(at, SETTING_upstream_total_timeout_ms),
		        "upstream.total_timeout_ms is shorter than upstream.first_byte_ms, which then never counts");
}
