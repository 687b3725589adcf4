#define _GNU_SOURCE /* close_range, setresuid */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jail.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1ul
#endif
#define NOBODY 65534u

/* None at all: not in force, not allowed, not to be had, not to be inherited. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* Without CAP_SETPCAP the bounding set stays; no exec that it could matter to is possible. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

static int
limit(int what, rlim_t n)
{
	struct rlimit l = { n, n };

	return setrlimit(what, &l) < 0 ? -errno : 0;
}

int
jail_privileges(int sock, struct nfv_err *err)
{
	const char *what = "no new privileges";
	int null, rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		goto fail;
	what = "no files";
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (close_range((unsigned int)sock + 1, ~0u, 0) < 0)
		goto fail;
	what = "no core files";
	rc = limit(RLIMIT_CORE, 0);
	if (rc == 0)
		rc = limit(RLIMIT_FSIZE, 0);
	/* A memory limit is the manager's affair, who knows how much the stage may have. */
	if (rc < 0) {
		errno = -rc;
		goto fail;
	}
	what = "another user";
	/* Not allowed where a container has taken these from root, or knows no other: nothing is lost. */
	if (geteuid() == 0 &&
		(setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			setresuid(NOBODY, NOBODY, NOBODY) < 0) &&
		errno != EPERM && errno != EINVAL)
		goto fail;
	what = "no capabilities";
	rc = drop_capabilities();
	if (rc < 0) {
		errno = -rc;
		goto fail;
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* nobody of the same user looks in by ptrace */
	return 0;
fail:
	return nfv_fail(err, errno, "the stage's process cannot be locked in (%s): %s", what,
		strerror(errno));
}

void
jail_code(void)
{
	/* What a sanitizer does itself would be refused. */
#if !defined(__SANITIZE_ADDRESS__)
	prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0ul, 0ul, 0ul);
#endif
}

int
jail_calls(int sock, bool upkeep, struct nfv_err *err)
{
	static const int any[] = { SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
		SCMP_SYS(exit_group), SCMP_SYS(exit), SCMP_SYS(futex), SCMP_SYS(nanosleep),
		SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_yield) };
	static const int on_socket[] = { SCMP_SYS(read), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
		SCMP_SYS(write) };
	const struct scmp_arg_cmp is_socket = {
		.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)sock, .datum_b = 0
	};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = f != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < sizeof(any) / sizeof(any[0]); i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, any[i], 0);
	for (size_t i = 0; sock >= 0 && rc == 0 && i < sizeof(on_socket) / sizeof(on_socket[0]);
		i++)
		rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, on_socket[i], 1, &is_socket);
	if (rc == 0 && upkeep)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(msync), 0);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc < 0)
		return nfv_fail(
			err, -rc, "the filter of system calls cannot be set: %s", strerror(-rc));
	return 0;
}
