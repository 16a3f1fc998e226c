// test_policy.c - policy files: good ones, each mistake with its line, and garbage.
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "policy.h"

static struct policy policy;
static struct policy_error error;

#define AB "kernel a memory=2M\nkernel b memory=2M\n"

static bool parse(const char *text)
{
    memset(&error, 0, sizeof(error));
    return policy_parse(&policy, text, strlen(text), &error);
}

static void good(void **state)
{
    (void)state;
    assert_true(parse(
        "# comment\n\n"
        "kernel unix memory=rest priority=12 share=50 spaces=2 threads=3 mappings=4 min_spaces=5 max_spaces=6 "
        "min_threads=7 max_threads=8 min_mappings=9 weight=3 console # the emulator\n"
        "  kernel  small\tmemory=64M most=1G args=\"a b # c\" \n"
        "primary unix"));
    assert_int_equal(policy.count, 2);
    assert_int_equal(policy.primary, 0);
    const struct policy_kernel *k = &policy.kernel[0];
    assert_string_equal(k->name, "unix");
    assert_true(k->rest && k->console && k->priority == 12 && k->share == 50);
    assert_true(k->spaces == 2 && k->threads == 3 && k->mappings == 4);
    assert_true(k->space.least == 5 && k->space.most == 6 && k->thread.least == 7 && k->thread.most == 8);
    assert_true(k->mapping.least == 9 && k->mapping.most == 0);
    assert_int_equal(k->number, 3);
    assert_true(k->weight == 3 && k[1].weight == 0);
    k++;
    assert_string_equal(k->name, "small");
    assert_true(!k->rest && !k->console && k->memory == 64 << 20 && k->priority == 16 && k->share == 100);
    assert_true(k->most == 1 << 30 && k[-1].most == 0);
    assert_non_null(strstr(k->line, "args=\"a b # c\""));
}

static void times(void **state)
{
    (void)state;
    assert_true(parse(AB "kernel c memory=2M image=b\nturns each=2m a b\ngrant c share=7 for=500ms from=3s\n"
                      "out a  # for good\nend b at=0ms\n"));
    assert_string_equal(policy.kernel[0].image, "a");
    assert_string_equal(policy.kernel[2].image, "b");
    assert_true(policy.turns == 1 && policy.each[0] == 120000000000);
    assert_true(policy.kernel[0].turns == 1 && policy.kernel[1].turns == 1 && policy.kernel[2].turns == 0);
    assert_int_equal(policy.phases, 3);
    const struct policy_phase *f = policy.phase;
    assert_true(f->kind == PHASE_GRANT && f->kernel == 2 && f->share == 7 && f->priority == POLICY_UNSAID);
    assert_true(f->from == 3000000000 && f->until == 3500000000);
    f++;
    assert_true(f->kind == PHASE_OUT && f->kernel == 0 && f->from == 0 && f->until == POLICY_FOREVER);
    f++;
    assert_true(f->kind == PHASE_END && f->kernel == 1 && f->from == 0 && f->until == POLICY_FOREVER);
}

static void without_primary(void **state)
{
    (void)state;
    assert_true(parse("kernel a memory=2M\r\nkernel b memory=2M\r\n"));
    assert_int_equal(policy.primary, -1);
    assert_int_equal(policy.count, 2);
}

static void mistakes(void **state)
{
    static const struct { const char *text; unsigned line; const char *what; } table[] = {
        {"", 0, "no kernel is named"},
        {"# nothing\n", 0, "no kernel is named"},
        {"kernel\n", 1, "a kernel needs a name"},
        {"kernel a/b memory=2M\n", 1, "a kernel needs a name: a/b"},
        {"kernel memory=2M\n", 1, "a kernel needs a name: memory=2M"},
        {"kernel a\n", 1, "memory=SIZE or memory=rest is missing: a"},
        {"\n\nkernel a memory=2X\n", 3, "not a size: memory=2X"},
        {"kernel a memory=0\n", 1, "not a size: memory=0"},
        {"kernel a memory=\n", 1, "not a size: memory="},
        {"kernel a memory=2M most=rest\n", 1, "not a size: most=rest"},
        {"kernel a memory=2M priority=high\n", 1, "not a number: priority=high"},
        {"kernel a memory=2M priority=31\n", 1, "too large: priority=31"},
        {"kernel a memory=2M share=101\n", 1, "too large: share=101"},
        {"kernel a memory=2M weight=1001\n", 1, "too large: weight=1001"},
        {"kernel a memory=2M weight=0\n", 1, "a weight is 1 at least: weight=0"},
        {"kernel a memory=2M min_spaces=9 max_spaces=8\n", 1, "a maximum below the minimum: max_spaces=8"},
        {"kernel a memory=2M spaces=2 max_spaces=2\n", 1, "a maximum that locks could use up: max_spaces=2"},
        {"kernel a memory=2M max_threads=1\n", 1, "a maximum that locks could use up: max_threads=1"},
        {"kernel a memory=2M min_mappings=200 max_mappings=100\n", 1, "a maximum below the minimum: max_mappings=100"},
        {"kernel a memory=2M min_threads=few\n", 1, "not a number: min_threads=few"},
        {"kernel a memory=2M max_mappings=8388609\n", 1, "too large: max_mappings=8388609"},
        {"kernel a memory=2M speed=9\n", 1, "unknown word: speed=9"},
        {"kernel a memory=2M\nkernel a memory=2M\n", 2, "this kernel has a line already: a"},
        {"kernel a memory=rest\nkernel b memory=rest\n", 2, "the rest of memory can be given once only"},
        {"kernel a memory=2M args=\"open\n", 1, "a quote is not closed"},
        {"colonel a memory=2M\n", 1, "unknown word: colonel"},
        {"kernel a memory=2M\nprimary\n", 2, "primary needs the name of one kernel"},
        {"kernel a memory=2M\nprimary a b\n", 2, "primary needs the name of one kernel"},
        {"primary b\nkernel a memory=2M\n", 1, "no such kernel: b"},
        {"kernel a memory=2M image=\n", 1, "not the name of a program: image="},
        {AB "turns\n", 3, "turns needs each=TIME first"},
        {AB "turns a b each=1s\n", 3, "turns needs each=TIME first"},
        {AB "turns each=1 a b\n", 3, "not a time, as 500ms, 30s or 2m: each=1"},
        {AB "turns each=s a b\n", 3, "not a time, as 500ms, 30s or 2m: each=s"},
        {AB "turns each=1h a b\n", 3, "not a time, as 500ms, 30s or 2m: each=1h"},
        {AB "turns each=99999999999999999999s a b\n", 3, "not a time, as 500ms, 30s or 2m: each=99999999999999999999s"},
        {AB "turns each=18446744073709551615m a b\n", 3, "too large: each=18446744073709551615m"},
        {AB "turns each=0s a b\n", 3, "a turn takes time: each=0s"},
        {AB "turns each=1s\n", 3, "the name of a kernel is missing"},
        {AB "turns each=1s a\n", 3, "turns needs two kernels at least"},
        {AB "turns each=1s a a\n", 3, "this kernel takes turns already: a"},
        {AB "turns each=1s a b\nturns each=1s b a\n", 4, "this kernel takes turns already: b"},
        {AB "turns each=1s a b c\n", 3, "no line above names this kernel: c"},
        {"grant a share=1\nkernel a memory=2M\n", 1, "no line above names this kernel: a"},
        {AB "grant\n", 3, "the name of a kernel is missing"},
        {AB "grant a\n", 3, "grant needs share=N, priority=N or memory=SIZE"},
        {AB "grant a memory=lots\n", 3, "not a size: memory=lots"},
        {AB "grant a memory=0\n", 3, "not a size: memory=0"},
        {AB "out a memory=2M\n", 3, "unknown word: memory=2M"},
        {AB "grant a from=1s for=2s\n", 3, "grant needs share=N, priority=N or memory=SIZE"},
        {AB "grant a share=101\n", 3, "too large: share=101"},
        {AB "grant a priority=31\n", 3, "too large: priority=31"},
        {AB "grant a share=10 for=0s\n", 3, "no time at all: for=0s"},
        {AB "grant a share=10 at=1s\n", 3, "unknown word: at=1s"},
        {AB "grant a share=10 from=soon\n", 3, "not a time, as 500ms, 30s or 2m: from=soon"},
        {AB "out a share=10\n", 3, "unknown word: share=10"},
        {AB "end a\n", 3, "end needs at=TIME"},
        {AB "end a from=1s\n", 3, "unknown word: from=1s"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_false(parse(table[i].text));
        assert_string_equal(error.text, table[i].what);
        assert_int_equal(error.line, table[i].line);
    }
}

static void too_much(void **state)
{
    static char text[POLICY_KERNELS * 32 + 1024];

    (void)state;
    strcpy(text, "kernel a memory=2M args=\"");
    memset(text + strlen(text), 'x', POLICY_LINE);
    assert_false(parse(text));
    assert_string_equal(error.text, "the line is too long");
    memset(text, 0, sizeof(text));
    for (unsigned i = 0; i <= POLICY_KERNELS; i++) {
        char line[32];
        snprintf(line, sizeof(line), "kernel k%u memory=2M\n", i);
        strcat(text, line);
    }
    assert_false(parse(text));
    assert_string_equal(error.text, "too many kernels");
    assert_int_equal(error.line, POLICY_KERNELS + 1);
    assert_false(policy_parse(&policy, "kernel a\0memory", 15, &error));
    assert_string_equal(error.text, "not text");
}

static void garbage(void **state)
{
    static const char *const piece[] = {"kernel ",
                                        "primary ",
                                        "a",
                                        "memory=",
                                        "rest",
                                        "2M",
                                        " ",
                                        "\n",
                                        "\"",
                                        "#",
                                        "=",
                                        "priority=",
                                        "99999999999999999999",
                                        "console",
                                        "\t",
                                        "args=",
                                        "turns each=1s ",
                                        "grant ",
                                        "end a at=",
                                        "\nkernel a memory=2M\n",
                                        "for=3m"};
    uint32_t seed = 3;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[20 * 24] = "";
        for (int i = 0; i < 20; i++) {
            seed = seed * 1664525 + 1013904223;
            strcat(text, piece[(seed >> 10) % (sizeof(piece) / sizeof(piece[0]))]);
        }
        char *exact = malloc(strlen(text));
        memcpy(exact, text, strlen(text));
        policy_parse(&policy, exact, strlen(text), &error);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good), cmocka_unit_test(times), cmocka_unit_test(without_primary), cmocka_unit_test(mistakes),
        cmocka_unit_test(too_much), cmocka_unit_test(garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
