/* What upstream.c and client.c share: the event, time, and how HTTP/1.1 frames a body. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>

/* The text of every event: "@", the time it was written in 16 hex digits, its number in 8,
 * and prose. A client tells the age of an event by it, whatever was rewritten on the way. */
enum { STAMP_DIGITS = 16, NUMBER_DIGITS = 8, TEXT_LENGTH = 47, EVENT_LENGTH = 330 };

static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void *must(void *allocated)
{
	if (allocated == NULL)
		fail("memory");
	return allocated;
}

/* Nothing that the bench starts outlives it, even when it is killed. */
static inline void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Nanoseconds; the clock is the same in every process of a machine. */
static inline uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline struct timespec until(uint64_t moment, uint64_t now)
{
	uint64_t ns = moment > now ? moment - now : 0;
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };
}

/* The value of a hexadecimal digit, -1 for any other character. */
static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline void write_hex(char *to, uint64_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value >>= 4)
		to[i] = "0123456789abcdef"[value & 15];
}

/* Return the value of a header in a head of n bytes that ends with an empty line, or NULL.
 * The value ends with the line. */
static inline const char *header(const char *head, size_t n, const char *name)
{
	size_t length = strlen(name);
	const char *end = head + n, *line = head;
	while ((line = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		line++;
		if ((size_t)(end - line) <= length)
			break;
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " ");
	}
	return NULL;
}

/* The body of a message as it comes. */
struct body {
	enum { SIZED, CHUNKED, TO_THE_END } framing;
	enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILER } state;
	uint64_t left;		/* of a sized body, or of the chunk */
	bool line_begun;	/* the line of the trailer is not empty */
	bool over;
};

/* Return how the body behind a head is framed; without a length it is empty, or ends with the
 * connection. */
static inline struct body body_of(const char *head, size_t n, bool ends_with_connection)
{
	struct body body = { .framing = SIZED };
	const char *coding = header(head, n, "Transfer-Encoding");
	const char *length = header(head, n, "Content-Length");
	if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0)
		body.framing = CHUNKED;
	else if (length != NULL)
		body.left = strtoull(length, NULL, 10);
	else if (ends_with_connection)
		body.framing = TO_THE_END;
	body.over = body.framing == SIZED && body.left == 0;
	return body;
}

static inline size_t take(struct body *body, const char **in, const char *end, const char **piece)
{
	size_t n = (size_t)(end - *in);
	if (body->framing != TO_THE_END) {
		n = n < body->left ? n : (size_t)body->left;
		body->left -= n;
	}
	*piece = *in;
	*in += n;
	return n;
}

/* One byte of the chunked coding that is no data. A wrong one reads as a long chunk, and the
 * totals of the stream will tell. */
static inline void chunk_byte(struct body *body, char c)
{
	switch (body->state) {
	case CHUNK_SIZE:
		if (hex_value(c) >= 0) {
			body->left = body->left << 4 | (uint64_t)hex_value(c);
			break;
		}
		body->state = CHUNK_EXTENSION;
		/* fall through */
	case CHUNK_EXTENSION:
		if (c == '\n')
			body->state = body->left ? CHUNK_DATA : TRAILER;
		break;
	case CHUNK_END:
		if (c == '\n')
			body->state = CHUNK_SIZE;
		break;
	case TRAILER:
		if (c == '\n' && !body->line_begun)
			body->over = true;
		body->line_begun = c != '\n' && (body->line_begun || c != '\r');
		break;
	case CHUNK_DATA:
		break;
	}
}

/* Take input from *in on; return the length of the next piece of data, which *piece then
 * points at, or 0 when the input is used up or the body is over. */
static inline size_t next_piece(struct body *body, const char **in, const char *end,
				const char **piece)
{
	while (*in < end && !body->over) {
		if (body->framing == CHUNKED && body->state != CHUNK_DATA) {
			chunk_byte(body, *(*in)++);
			continue;
		}
		size_t n = take(body, in, end, piece);
		if (body->framing == CHUNKED && body->left == 0)
			body->state = CHUNK_END;
		body->over = body->framing == SIZED && body->left == 0;
		return n;
	}
	return 0;
}

#endif
