// How deep the stack of Mbed's main thread has been: whatever lay below it at the start was
// painted, and what is no longer the paint was used.
#include <rtx_os.h>

#include "hal/har_board.h"
#include "nano33ble.h"

namespace {

constexpr uint32_t paint = 0x5AFEC0DEu;
// RTX keeps a word of its own at the end. Room for what an interrupt puts below the frame that
// paints.
constexpr uint32_t kept_words = 1u;
constexpr uintptr_t spared_bytes = 512u;

volatile uint32_t *bottom;
uint32_t words;

}  // namespace

void har_nano33ble_stack_paint(void) {
    const osRtxThread_t *thread = static_cast<const osRtxThread_t *>(osThreadGetId());
    if (thread == nullptr) return;
    const uintptr_t start = reinterpret_cast<uintptr_t>(thread->stack_mem);
    const uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    if (here < start + spared_bytes || here > start + thread->stack_size) return;
    bottom = static_cast<volatile uint32_t *>(thread->stack_mem);
    words = thread->stack_size / sizeof *bottom;
    const uint32_t end = static_cast<uint32_t>((here - spared_bytes - start) / sizeof *bottom);
    for (uint32_t i = kept_words; i < end; ++i) bottom[i] = paint;
}

uint32_t har_board_stack_used(void) {
    uint32_t clean = kept_words;
    while (clean < words && bottom[clean] == paint) ++clean;
    return words == 0u ? 0u : (words - clean) * static_cast<uint32_t>(sizeof *bottom);
}

uint32_t har_board_stack_size(void) {
    return words * static_cast<uint32_t>(sizeof *bottom);
}
