#include "core/ops/stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

const char *stats_state(const struct stats_source *s)
{
	if (s->is_draining && s->is_draining(s->context))
		return "draining";
	return s->not_ready_reason && s->not_ready_reason(s->context) ? "not ready" : "ready";
}

static const char *list_trouble(const struct stats_source *s)
{
	struct authlist_facts f = {0};
	if (s->list)
		authlist_sync_facts(s->list, &f);
	if (f.too_old)
		return "; the list of authorized servers is too old, so callers are told to try later";
	if (f.loaded && f.problem[0])
		return "; the list of authorized servers cannot be read, and the last good one is in force";
	return f.loaded && f.entries == 0 ? "; the list of authorized servers is empty, so nobody is let in" : "";
}

bool stats_sentence(const struct stats_source *s, char *out, size_t room)
{
	const char *reason = s->not_ready_reason ? s->not_ready_reason(s->context) : NULL, *state = stats_state(s);
	const char *trouble = list_trouble(s);
	bool same = reason && strcmp(reason, state) == 0;
	snprintf(out, room, "%s%s%s%s%s%s", state, reason && !same ? ": " : "", reason && !same ? reason : "", trouble,
	         s->loopback_caller ? "; AUTHENTICATION IS OFF (test switch): every loopback caller is " : "",
	         s->loopback_caller ? s->loopback_caller : "");
	return strcmp(state, "ready") == 0 && !*trouble && !s->loopback_caller;
}

static uint64_t count_entries(const char *directory)
{
	/* Not opendir(): ThreadSanitizer does not see it open the descriptor, and takes its end for a race with the socket that had the number before. */
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	uint64_t n = 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static uint64_t resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void stats_process_read(struct stats_process *out)
{
	struct rlimit limit = {0};
	struct rusage usage = {0};
	getrlimit(RLIMIT_NOFILE, &limit);
	getrusage(RUSAGE_SELF, &usage);
	uint64_t open = count_entries("/proc/self/fd");
	*out = (struct stats_process){
	        .resident_bytes = resident_bytes(),
	        .open_descriptors = open ? open - 1 : 0, /* less the one that reads the directory */
	        .descriptor_limit = limit.rlim_cur,
	        .threads = count_entries("/proc/self/task"),
	        .cpu_s = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
	};
}

static double ready(const struct stats_source *s)
{
	return strcmp(stats_state(s), "ready") == 0;
}

static double draining(const struct stats_source *s)
{
	return strcmp(stats_state(s), "draining") == 0;
}

static double authentication_off(const struct stats_source *s)
{
	return s->loopback_caller != NULL;
}

static double workers(const struct stats_source *s)
{
	return (double)s->block_count;
}

static double start_time(const struct stats_source *s)
{
	return (double)s->started_wall / 1e6;
}

static double log_lines(const struct stats_source *s)
{
	return (double)request_log_lines(s->request_log);
}

static double log_lines_dropped(const struct stats_source *s)
{
	return (double)request_log_dropped(s->request_log);
}

static double lost_timings(const struct stats_source *s)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < s->block_count; i++)
		sum += histogram_load(&s->blocks[i]->lost_timings);
	return (double)sum;
}

static struct authlist_facts list_facts(const struct stats_source *s)
{
	struct authlist_facts f = {0};
	if (s->list)
		authlist_sync_facts(s->list, &f);
	return f;
}

static double list_loaded(const struct stats_source *s)
{
	return list_facts(s).loaded;
}

static double list_age(const struct stats_source *s)
{
	return (double)list_facts(s).age / 1e6;
}

static double list_generation(const struct stats_source *s)
{
	return (double)list_facts(s).generation;
}

/* The first 48 bits, which a double holds exactly: enough to compare nodes. */
static double list_hash(const struct stats_source *s)
{
	struct authlist_facts f = list_facts(s);
	f.hash[12] = 0;
	return (double)strtoull(f.hash, NULL, 16);
}

static double list_entries(const struct stats_source *s)
{
	return (double)list_facts(s).entries;
}

static double list_denials(const struct stats_source *s)
{
	return (double)list_facts(s).denials;
}

static double list_failures(const struct stats_source *s)
{
	return (double)list_facts(s).failures;
}

static double list_members_unknown(const struct stats_source *s)
{
	return (double)list_facts(s).members_unknown;
}

static double decision_records_lost(const struct stats_source *s)
{
	return s->decisions ? (double)decisions_lost(s->decisions) : 0;
}

static double cache_answers(const struct stats_source *s)
{
	return s->cache ? (double)cache_facts(s->cache).count : 0;
}

static double cache_bytes(const struct stats_source *s)
{
	return s->cache ? (double)cache_facts(s->cache).bytes : 0;
}

static double cache_evicted(const struct stats_source *s)
{
	return s->cache ? (double)cache_facts(s->cache).evicted : 0;
}

static double resident(const struct stats_source *s)
{
	return (double)resident_bytes();
}

static double cpu(const struct stats_source *s)
{
	struct stats_process p;
	stats_process_read(&p);
	return p.cpu_s;
}

static double open_descriptors(const struct stats_source *s)
{
	struct stats_process p;
	stats_process_read(&p);
	return (double)p.open_descriptors;
}

static double descriptor_limit(const struct stats_source *s)
{
	struct stats_process p;
	stats_process_read(&p);
	return (double)p.descriptor_limit;
}

/* The last five have the names that Prometheus' own libraries use, so that ready-made dashboards find them. */
static const struct stats_fact facts[] = {
        {"rms_connector_ready", "gauge", "1 when the node takes requests, else 0", ready},
        {"rms_connector_draining", "gauge", "1 while the node shuts down", draining},
        {"rms_connector_authentication_off", "gauge", "1 when the test switch lets every loopback caller in",
         authentication_off},
        {"rms_connector_workers", "gauge", "Worker threads", workers},
        {"rms_connector_log_lines_total", "counter", "Lines written to the request log", log_lines},
        {"rms_connector_log_lines_dropped_total", "counter",
         "Lines of the request log lost because it could not be written", log_lines_dropped},
        {"rms_connector_lost_timings_total", "counter", "Times not counted because there was no memory", lost_timings},
        {"rms_connector_list_loaded", "gauge", "1 when there is a list of authorized servers, else 0", list_loaded},
        {"rms_connector_list_age_seconds", "gauge",
         "Time since the list of authorized servers was last read well; without any, since the start", list_age},
        {"rms_connector_list_generation", "gauge", "How many different lists this process has had", list_generation},
        {"rms_connector_list_hash", "gauge",
         "The first 48 bits of the list's SHA-256, as a number: nodes that decide alike have the same", list_hash},
        {"rms_connector_list_entries", "gauge", "Entries of the list of authorized servers", list_entries},
        {"rms_connector_list_denials", "gauge", "Deny entries of the list of authorized servers", list_denials},
        {"rms_connector_list_failures_total", "counter", "Readings of the list that failed", list_failures},
        {"rms_connector_list_members_unknown", "gauge",
         "Entries and denials of which the directory has not told who is in them, or too long ago: callers who might "
         "be are answered 429",
         list_members_unknown},
        {"rms_connector_decision_records_lost_total", "counter",
         "Decisions that explain cannot tell of, because too many came at once", decision_records_lost},
        {"rms_connector_cache_answers", "gauge", "Answers of the RMS service that are remembered", cache_answers},
        {"rms_connector_cache_bytes", "gauge", "Memory of remembered answers", cache_bytes},
        {"rms_connector_cache_evicted_total", "counter",
         "Remembered answers that went before their time because cache.size_bytes was reached", cache_evicted},
        {"process_start_time_seconds", "gauge", "When the process started, in seconds since 1970", start_time},
        {"process_cpu_seconds_total", "counter", "Processor time used, user and system", cpu},
        {"process_resident_memory_bytes", "gauge", "Resident memory", resident},
        {"process_open_fds", "gauge", "Open file descriptors", open_descriptors},
        {"process_max_fds", "gauge", "Limit of open file descriptors", descriptor_limit},
};

const struct stats_fact *stats_fact(size_t index)
{
	return index < ARRAY_COUNT(facts) ? &facts[index] : NULL;
}
