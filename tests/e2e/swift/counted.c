// Counts allocations of the process that it is preloaded into.
#include <stdatomic.h>
#include <stddef.h>

extern void *__libc_malloc(size_t);

static atomic_long count;

void *malloc(size_t bytes) {
    count++;
    return __libc_malloc(bytes);
}

long allocations(void) { return count; }
