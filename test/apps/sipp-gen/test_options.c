/* The command line: every value where it belongs, and refusals that say what is wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options_table.h"

#define WORDS 128
#define PLACE "--device pair:x:a -i 10.0.0.1/24 "

/* Words parted by blanks. */
static int
parse(const char *line, struct options *o, struct nfv_err *err)
{
	static char text[1024];
	static char name[] = "sipp-gen";
	char *word[WORDS + 1] = { name }, *rest;
	int n = 1;

	assert_true(strlen(line) < sizeof(text));
	for (char *w = strtok_r(strcpy(text, line), " ", &rest); w != NULL && n < WORDS;
		w = strtok_r(NULL, " ", &rest))
		word[n++] = w;
	return options_parse(n, word, o, err);
}

static void
good(const char *line, struct options *o)
{
	struct nfv_err err = { "" };

	if (parse(line, o, &err) < 0)
		fail_msg("%s: %s", line, err.text);
}

static void
bad(const char *line, const char *says)
{
	struct nfv_err err = { "" };
	struct options o;

	assert_int_equal(parse(line, &o, &err), -EINVAL);
	if (strstr(err.text, says) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", line, err.text, says);
}

static void
values_find_their_places(void **state)
{
	const struct options_role *r;
	struct options o;

	(void)state;
	good("-sn uac " PLACE "-p 5070 --mtu 1400 -s bob -r 50 -rp 500 -m 12345678901 -l 77 -d 30 "
	     "-recv_timeout 9 -nr -max_retrans 3 -base_cseq 8 -au u -ap p -aa -mp 7000 "
	     "--loss-out 50 --loss-in 25 --dup 10 --reorder 5 --delay 1:40 --buffers 600 --lcore 2 "
	     "--seed 9 -fd 2 -timeout 3 --html h -stf s --trace_stat --json --timeout_error "
	     "10.0.0.2:5080 --and -sn uas --device pair:x:b -i 10.0.0.2",
		&o);
	r = &o.role[0];
	assert_string_equal(r->builtin, "uac");
	assert_string_equal(r->device, "pair:x:a");
	assert_int_equal(r->port, 5070);
	assert_int_equal(r->mtu, 1400);
	assert_string_equal(r->service, "bob");
	assert_true(r->pace.rate == 100);
	assert_int_equal(r->calls, 12345678901);
	assert_int_equal(r->open, 77);
	assert_int_equal(r->duration_ms, 30);
	assert_int_equal(r->recv_timeout_ms, 9);
	assert_false(r->retransmit);
	assert_int_equal(r->retrans_invite, 3);
	assert_int_equal(r->retrans_other, 3);
	assert_int_equal(r->base_cseq, 8);
	assert_string_equal(r->user, "u");
	assert_string_equal(r->password, "p");
	assert_true(r->auto_answer);
	assert_int_equal(r->media_port, 7000);
	assert_true(r->fault[FAULT_LOSS] == 0.5 && r->loss_in == 0.25);
	assert_true(r->fault[FAULT_DUPLICATE] == 0.1 && r->fault[FAULT_SWAP] == 0.05);
	assert_true(r->fault[FAULT_DELAY] == 0.01 && r->delay_max == 40);
	assert_int_equal(r->buffers, 600);
	assert_int_equal(r->lcore, 2);
	assert_int_equal(r->remote.port, 5080);
	assert_int_equal(o.seed, 9);
	assert_true(o.interval_s == 2 && o.timeout_s == 3);
	assert_string_equal(o.html, "h");
	assert_string_equal(o.stat_file, "s");
	assert_true(o.trace_stat && o.json && o.timeout_error && o.probe);
	assert_int_equal(o.roles, 2);
	assert_string_equal(o.role[1].builtin, "uas");
	assert_int_equal(o.role[1].port, 5060);
	assert_int_equal(o.role[1].open, 100000);
	assert_int_equal(o.role[1].addr[0].len, 24);
}

static void
the_table_agrees_with_itself(void **state)
{
	(void)state;
	for (int i = 0; i < KEYS; i++) {
		const struct option_row *r = &option_row[i];
		bool flag = r->type == OPTION_TRUE || r->type == OPTION_FALSE;

		assert_non_null(r->name);
		assert_non_null(r->help);
		if (flag)
			assert_null(r->argument);
		else if (r->type != OPTION_SPECIAL)
			assert_non_null(r->argument);
		if (r->type >= OPTION_NUMBERS)
			assert_true(r->max > r->min);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(r->name, option_row[k].name);
	}
}

static void
shapes_are_understood(void **state)
{
	struct options o;

	(void)state;
	good("-sn uac " PLACE "-r 5 -rate_increase 2 -rate_interval 3 -rate_max 9 10.0.0.2", &o);
	assert_int_equal(o.role[0].pace.shape, PACE_STEPS);
	assert_true(o.role[0].pace.step == 2 && o.role[0].pace.seconds == 3);
	assert_true(o.role[0].pace.rate_to == 9);
	good("-sn uac " PLACE "--burst 40:0.5 10.0.0.2", &o);
	assert_int_equal(o.role[0].pace.shape, PACE_BURST);
	assert_int_equal(o.role[0].pace.burst, 40);
	good("-sn uac " PLACE "--ramp 900:60 10.0.0.2", &o);
	assert_int_equal(o.role[0].pace.shape, PACE_RAMP);
	assert_true(o.role[0].pace.rate_to == 900 && o.role[0].pace.seconds == 60);
	good("-sn uac " PLACE "--poisson 10.0.0.2", &o);
	assert_int_equal(o.role[0].pace.shape, PACE_POISSON);
}

static void
a_closed_loop_has_users_and_no_rate(void **state)
{
	struct options o;

	(void)state;
	good("-sn uac " PLACE "-users 30 10.0.0.2", &o);
	assert_int_equal(o.role[0].users, 30);
	assert_int_equal(o.role[0].open, 1000);
	good("-sn uac " PLACE "-users 30 -l 30 10.0.0.2", &o);
	assert_int_equal(o.role[0].open, 30);
	good("-sn uac " PLACE "-users 3000 --soak 60 10.0.0.2", &o);
	assert_int_equal(o.role[0].open, 6000);
	bad("-sn uac " PLACE "-users 30 -l 29 10.0.0.2", "-l 29");
	bad("-sn uac " PLACE "-users 30 -r 10 10.0.0.2", "leave out -r");
	bad("-sn uac " PLACE "-users 30 --poisson 10.0.0.2", "leave out -r");
	bad("-sn uac " PLACE "-users 30 --burst 5:1 10.0.0.2", "leave out -r");
	bad("-sn uac " PLACE "-users 30 --ramp 5:1 10.0.0.2", "leave out -r");
	bad("-sn uac " PLACE "-users 30 -rate_increase 5 10.0.0.2", "leave out -r");
	bad("--plain 64 " PLACE "-users 30 10.0.0.2", "leave out --plain");
	bad("-sn uac " PLACE "-users 30 --search ser 10.0.0.2", "-users");
	bad("-sn uac " PLACE "-users 0 10.0.0.2", "from 1");
}

static void
what_is_wrong_is_said(void **state)
{
	(void)state;
	bad("-sn uac " PLACE "-p 0 10.0.0.2", "from 1 to 65535");
	bad("-sn uac " PLACE "-r nan 10.0.0.2", "give a number");
	bad("-sn uac " PLACE "-l 1x 10.0.0.2", "give a number");
	bad("-sn uac " PLACE "--nonsense", "no option");
	bad("-sn uac " PLACE "-m", "wants a value");
	bad("-sn uac " PLACE "example.org", "names are not looked up");
	bad("-sn uac -i 10.0.0.1", "--device");
	bad(PLACE "10.0.0.2", "give one scenario");
	bad("-sn uac -sn uas -sf x " PLACE, "give one scenario");
	bad("-sn uac " PLACE "--search up", "ser, ndr or pdr");
	bad("-sn uac " PLACE "--delay 101:5", "at most 100 percent");
	bad("-sn uac " PLACE "--burst 5", "a colon");
	bad("-sn uac " PLACE "-t t1", "only u1");
	bad("--plain 64 " PLACE "--html x 10.0.0.2", "--html");
	bad("--torture x " PLACE "-stf x 10.0.0.2", "--torture");
	bad("-sn uac " PLACE "--infindex x 0", "by -inf");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_find_their_places),
		cmocka_unit_test(the_table_agrees_with_itself),
		cmocka_unit_test(shapes_are_understood),
		cmocka_unit_test(a_closed_loop_has_users_and_no_rate),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
