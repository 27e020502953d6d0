/* The least a machine can do: sleep to absolute deadlines on a grid, and note how late each sleep ended.
 *
 * late_ns takes up to `most` values. A deadline that has passed while the one before was late is left out and counted
 * in *passed_over. Ends at until_ns, when late_ns is full, or at a signal. Returns how many values there are.
 */
#define _POSIX_C_SOURCE 200112L
#include <time.h>

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

long bare_sleep(long long period_ns, long long until_ns, long most, long long *late_ns, long long *passed_over)
{
    long count = 0;
    long long due_ns = (now_ns() / period_ns + 1) * period_ns;
    *passed_over = 0;
    while (due_ns < until_ns && count < most) {
        struct timespec due = {due_ns / 1000000000LL, due_ns % 1000000000LL};
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, 0))
            break;
        long long late = now_ns() - due_ns;
        late_ns[count++] = late;
        *passed_over += late / period_ns;
        due_ns += (late / period_ns + 1) * period_ns;
    }
    return count;
}
