#ifndef RTX_OS_H_
#define RTX_OS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void *osThreadId_t;

typedef struct osRtxThread_s {
    void *stack_mem;
    uint32_t stack_size;
} osRtxThread_t;

osThreadId_t osThreadGetId(void);

#ifdef __cplusplus
}
#endif

#endif
