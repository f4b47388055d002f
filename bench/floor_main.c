#include "bench/floor_worker.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] = "usage: rms-floor --listen ADDRESS:PORT [--tls-cert FILE --tls-key FILE]\n"
                            "                 --upstream ADDRESS:PORT --upstream-name HOST --ca FILE [--workers N]\n"
                            "The limit that proxies are measured against: relays HTTP or HTTPS to a verified TLS 1.3 "
                            "upstream, parsing nothing but\n"
                            "Content-Length. IPv4, loopback, no limits and no deadlines: not a proxy.\n";

static _Noreturn void refuse(const char *what, const char *value)
{
	fprintf(stderr, "rms-floor: %s: %s\n%s", what, value, usage);
	exit(2);
}

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[64];
	const char *colon = strrchr(text, ':');
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		refuse("not an address:port", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	unsigned long port = strtoul(colon + 1, NULL, 10);
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 || port == 0 || port > 65535)
		refuse("not an IPv4 address:port", text);
	a.sin_port = htons((uint16_t)port);
	return a;
}

static int listen_on(const char *text)
{
	struct sockaddr_in a = address_of(text);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		floor_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 4096) != 0)
		floor_die(text);
	return fd;
}

static void options_read(struct floor_options *o, int argc, char **argv)
{
	static const struct option names[] = {{"listen", required_argument, NULL, 'l'},
	                                      {"upstream", required_argument, NULL, 'u'},
	                                      {"upstream-name", required_argument, NULL, 'n'},
	                                      {"ca", required_argument, NULL, 'a'},
	                                      {"tls-cert", required_argument, NULL, 'c'},
	                                      {"tls-key", required_argument, NULL, 'k'},
	                                      {"workers", required_argument, NULL, 'w'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {0}};
	for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (option) {
		case 'l':
			o->listen = optarg;
			break;
		case 'u':
			o->upstream = optarg;
			break;
		case 'n':
			o->upstream_name = optarg;
			break;
		case 'a':
			o->ca_file = optarg;
			break;
		case 'c':
			o->certificate = optarg;
			break;
		case 'k':
			o->key = optarg;
			break;
		case 'w':
			o->workers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			refuse("see above", "an option is wrong");
		}
	}
	if (optind < argc)
		refuse("what is this", argv[optind]);
	if (!o->listen || !o->upstream || !o->upstream_name || !o->ca_file)
		refuse("missing", "--listen, --upstream, --upstream-name and --ca are needed");
	if (!o->certificate != !o->key)
		refuse("missing", "--tls-cert and --tls-key go together");
	if (o->workers < 1 || o->workers > 64)
		refuse("out of range", "--workers is 1 to 64");
}

static void *on_thread_start(void *argument)
{
	struct floor_worker *w = argument;
	floor_relay_run(w, w->listener.fd);
}

int main(int argc, char **argv)
{
	struct floor_options options = {.workers = 1};
	options_read(&options, argc, argv);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	struct floor_worker *workers = calloc(options.workers, sizeof(*workers));
	if (!workers)
		floor_die("no memory");
	for (unsigned i = 0; i < options.workers; i++) {
		workers[i].options = &options;
		workers[i].upstream = address_of(options.upstream);
		floor_tls_init(&workers[i]);
	}
	/* All listeners before the first worker runs: a connection is then never given to a socket that nobody serves. */
	for (unsigned i = 0; i < options.workers; i++)
		workers[i].listener.fd = listen_on(options.listen);
	for (unsigned i = 1; i < options.workers; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, on_thread_start, &workers[i]) != 0)
			floor_die("no thread");
	}
	floor_relay_run(&workers[0], workers[0].listener.fd);
}
