/* A plugin for QEMU that counts how often each translated block of code runs while the emulated
 * core is between two addresses, and how often the code behind it runs next. pipeline/sim/cycles.py
 * builds it with the host's compiler, runs it and reads what it leaves:
 *
 *   -plugin FILE,out=PATH,first=ADDRESS,last=ADDRESS
 *
 * PATH: a line "start final runs after2 after4" for each block: the addresses of its first and its
 * final instruction, in hexadecimal, and how often the block that ran next began 2 and 4 bytes
 * behind the final one's start. The size of that one is for the reader to decode: QEMU adds to it
 * what it reads ahead at the end of a page. The counting begins with the block at `first` and ends
 * with the block at `last`, which is not counted.
 *
 * Distributions ship QEMU without qemu-plugin.h: the few functions needed are declared here, as
 * QEMU's documentation has them (docs/devel/tcg-plugins). They are the same from 4.2 on. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
typedef void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void on_run(unsigned int cpu, void *data);
typedef void on_end(qemu_plugin_id_t id, void *data);
enum { WITHOUT_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, on_translation *call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, on_run *call, int flags,
                                          void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, on_end *call, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);

struct block {
    struct block *next;
    uint64_t start, final;
    uint64_t runs, after2, after4;
};

__attribute__((visibility("default"))) int qemu_plugin_version = HAR_PLUGIN_VERSION;

static struct block *blocks, *previous;
static uint64_t first, last;
static const char *path;
static bool counting;

static void ran(unsigned int cpu, void *data) {
    struct block *block = (struct block *)data;
    (void)cpu;
    if (block->start == first) counting = true;
    if (counting && previous != NULL) {
        previous->after2 += block->start == previous->final + 2;
        previous->after4 += block->start == previous->final + 4;
    }
    if (block->start == last) counting = false;
    previous = counting ? block : NULL;
    block->runs += counting;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    struct block *block = (struct block *)calloc(1, sizeof(*block));
    const size_t count = qemu_plugin_tb_n_insns(tb);
    (void)id;
    if (block == NULL || count == 0) abort();
    block->start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    block->final = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, count - 1));
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, WITHOUT_REGISTERS, block);
}

static void ended(qemu_plugin_id_t id, void *data) {
    FILE *file = fopen(path, "w");
    (void)id, (void)data;
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    for (const struct block *block = blocks; block != NULL; block = block->next) {
        if (block->runs == 0) continue;
        fprintf(file, "%" PRIx64 " %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", block->start,
                block->final, block->runs, block->after2, block->after4);
    }
    if (fclose(file) != 0) perror(path);
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const void *info, int count,
                                                               char **arguments) {
    (void)info;
    for (int i = 0; i < count; ++i) {
        const char *value = strchr(arguments[i], '=');
        if (value == NULL) return 1;
        ++value;
        if (strncmp(arguments[i], "out=", 4) == 0) path = strdup(value);
        if (strncmp(arguments[i], "first=", 6) == 0) first = strtoull(value, NULL, 16);
        if (strncmp(arguments[i], "last=", 5) == 0) last = strtoull(value, NULL, 16);
    }
    if (path == NULL || first == 0 || last == 0) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
