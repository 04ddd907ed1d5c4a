/* Log lines to standard error: `2026-01-02T03:04:05.678Z WARN store: text key=value`, or one JSON
 * object a line (--log-format json). Not the event log of a session: that one is net/log.h.
 *
 * Safe from any thread: a line is one write(2). Text from peers is escaped (control characters).
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Process-wide, set once at start, before other threads. Defaults: LOG_INFO, text. */
void log_configure(enum log_level least, int as_json);
int log_enabled(enum log_level level);

/* `area` is the module ("store", "net"). */
void log_line(enum log_level level, const char *area, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(area, ...)                                                                       \
    do {                                                                                           \
        if (log_enabled(LOG_DEBUG))                                                                \
            log_line(LOG_DEBUG, area, __VA_ARGS__);                                                \
    } while (0)
#define log_info(area, ...)  log_line(LOG_INFO, area, __VA_ARGS__)
#define log_warn(area, ...)  log_line(LOG_WARN, area, __VA_ARGS__)
#define log_error(area, ...) log_line(LOG_ERROR, area, __VA_ARGS__)

#endif
