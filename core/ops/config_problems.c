#include "core/ops/config_problems.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static void add(struct config_problems *p, struct config_place at, bool warning,
                                                      const char *format, va_list args)
{
	p->errors += !warning;
	if (p->count == CONFIG_PROBLEMS_MAX) {
		p->left_out++;
		return;
	}
	char text[CONFIG_PROBLEM_BYTES];
	int n = at.line ? snprintf(text, sizeof(text), "%s:%u:%u: ", p->file, at.line, at.column)
	                : snprintf(text, sizeof(text), "%s: ", p->file);
	size_t used = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	if (warning)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "warning: ");
	if (used < sizeof(text))
		vsnprintf(text + used, sizeof(text) - used, format, args);
	char *copy = strdup(text);
	if (!copy) {
		p->left_out++;
		return;
	}
	p->list[p->count++] = (struct config_problem){.at = at, .warning = warning, .text = copy};
}

void config_problem(struct config_problems *p, struct config_place at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(p, at, false, format, args);
	va_end(args);
}

void config_warning(struct config_problems *p, struct config_place at, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(p, at, true, format, args);
	va_end(args);
}

static bool is_before(struct config_place a, struct config_place b)
{
	return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void config_problems_sort(struct config_problems *p)
{
	/* Insertion: few, nearly sorted, and equals stay in order. */
	for (size_t i = 1; i < p->count; i++) {
		struct config_problem moved = p->list[i];
		size_t j = i;
		for (; j > 0 && is_before(moved.at, p->list[j - 1].at); j--)
			p->list[j] = p->list[j - 1];
		p->list[j] = moved;
	}
}

void config_problems_print(const struct config_problems *p, FILE *out)
{
	for (size_t i = 0; i < p->count; i++)
		fprintf(out, "%s\n", p->list[i].text);
	if (p->left_out)
		fprintf(out, "and %zu more\n", p->left_out);
}

void config_problems_done(struct config_problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->list[i].text);
	*p = (struct config_problems){0};
}

enum { WORD_MAX = 48 };

static size_t plain_word(const char *from, char to[static WORD_MAX])
{
	size_t n = 0;
	for (; from[n] && n < WORD_MAX; n++)
		to[n] = from[n] == '-' ? '_' : (char)tolower((unsigned char)from[n]);
	return n;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned config_word_distance(const char *a, const char *b)
{
	char x[WORD_MAX], y[WORD_MAX];
	size_t nx = plain_word(a, x), ny = plain_word(b, y);
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before_last = rows[0], *last = rows[1], *now = rows[2];
	for (size_t j = 0; j <= ny; j++)
		last[j] = before_last[j] = (unsigned)j;
	for (size_t i = 1; i <= nx; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= ny; j++) {
			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (x[i - 1] != y[j - 1]));
			if (i > 1 && j > 1 && x[i - 1] == y[j - 2] && x[i - 2] == y[j - 1])
				now[j] = least(now[j], before_last[j - 2] + 1);
		}
		unsigned *oldest = before_last;
		before_last = last;
		last = now;
		now = oldest;
	}
	return last[ny];
}

bool config_word_near(const char *a, const char *b, unsigned *distance)
{
	char x[WORD_MAX], y[WORD_MAX];
	size_t nx = plain_word(a, x), ny = plain_word(b, y), shorter = nx < ny ? nx : ny;
	*distance = config_word_distance(a, b);
	/* connect_timeout for connect_timeout_ms: a beginning counts as near, whatever is missing. */
	return *distance <= 1 + shorter / 5 || (shorter >= 4 && memcmp(x, y, shorter) == 0);
}
