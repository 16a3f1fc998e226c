// test_tasks.c - the input of the real-time kernel: what is taken, and what is refused in which line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tasks.h"

static struct tasks t;
static struct tasks_error error;

static bool parse(const char *text)
{
    char *copy = malloc(strlen(text) + 1);       // so that a read behind the end is seen
    memcpy(copy, text, strlen(text));
    bool good = tasks_parse(&t, copy, strlen(text), &error);
    free(copy);
    return good;
}

static void test_taken(void **state)
{
    (void)state;
    assert_true(parse("# all\n\ntask a 5000 400 4500 0\r\n task\tb 100 1 100 7 300# late\nrun 2000"));
    assert_int_equal(t.count, 2);
    assert_int_equal(t.run, 2000);
    assert_string_equal(t.task[0].name, "a");
    assert_int_equal(t.task[0].period, 5000);
    assert_int_equal(t.task[0].execution, 400);
    assert_int_equal(t.task[0].deadline, 4500);
    assert_int_equal(t.task[0].work, 400);
    assert_string_equal(t.task[1].name, "b");
    assert_int_equal(t.task[1].phase, 7);
    assert_int_equal(t.task[1].work, 300);
    assert_true(parse("task a 5 4 5 0"));
    assert_int_equal(t.run, 1000000);
}

static void refuse(const char *text, unsigned line)
{
    assert_false(parse(text));
    assert_int_equal(error.line, line);
    assert_true(error.text[0] != '\0');
}

static void test_refused(void **state)
{
    char many[2000] = "", one[40];

    (void)state;
    refuse("", 0);
    refuse("run 5", 0);
    refuse("task a 5 4 5", 1);
    refuse("\ntask a 5 4 5 0 1 2", 2);
    refuse("task a 5 4 5 0 1 2 3 4 5", 1);
    refuse("task a 5 6 5 0", 1);
    refuse("task a 5 4 6 0", 1);
    refuse("task a 0 0 0 0", 1);
    refuse("task a 5 4 x 0", 1);
    refuse("task a 5 4 5y 0", 1);
    refuse("task a 5 4 5 99999999999999999999", 1);
    refuse("task abcdefghijklmnop 5 4 5 0", 1);
    refuse("task a 5 4 5 0\ntask a 5 4 5 0", 2);
    refuse("task a 5 4 5 0\nrun 0", 2);
    refuse("task a 5 4 5 0\nruns 1", 2);
    refuse("# a comment that is longer than any line may be, since there is a limit to everything: xxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 1);
    for (unsigned i = 0; i <= TASKS; i++) {
        snprintf(one, sizeof(one), "task t%u 5 4 5 0\n", i);
        strcat(many, one);
    }
    refuse(many, TASKS + 1);
    assert_false(tasks_parse(&t, "task a 5\0 4 5 0", 15, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
