/* The client requests of callgrind are macros, so Python reaches them through these. */
#include <valgrind/callgrind.h>

void zbench_region_begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* The dump comes before the stop: stopping writes nothing, and the dump at exit would hold the rest of the program. */
void zbench_region_end(void)
{
    CALLGRIND_DUMP_STATS_AT("zbench region");
    CALLGRIND_STOP_INSTRUMENTATION;
}
