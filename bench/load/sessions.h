/* What the scenarios over stored sessions share: sessions that are executed before something is
 * measured, and a wait for what is to be seen next. */
#ifndef BENCH_SESSIONS_H
#define BENCH_SESSIONS_H

#include "client.h"

#define ID_TEXT 37 /* a UUID, terminated */

/* Executes a stored workflow, waits for the answer, and gives the session's id. `input` is JSON. */
void session_execute(const char *workflow, const char *input, char id[ID_TEXT]);
/* The same many times, on 64 connections. `ids` has room for count of them. */
void sessions_execute(const char *workflow, const char *input, size_t count, char (*ids)[ID_TEXT]);
/* Waits until a gauge of /metrics has a value; ends the program after so many seconds. */
void metric_wait(const char *name, double value, double seconds);
/* Turns the client until *flag; ends the program, naming what is missing, after ten seconds. */
void wait_for(const bool *flag, const char *what);
/* Whether the frame has this text in it. */
bool frame_has(const char *bytes, size_t count, const char *text);

#endif
