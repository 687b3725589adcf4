/**
 * @file
 * The journal of the location service: bindings outlive the process, however it ends.
 *
 * A file of its full size from the beginning, mapped and shared: a record is stored there with plain
 * stores before the REGISTER is answered. What was stored is in the kernel's pages, and so in the file,
 * even if the process is killed at the next instruction. A full disk is a sentence at the start.
 *
 * A record is all of an AOR: its key and its bindings, or none where the last has gone; so the last
 * record of an AOR is the truth about it, and a REGISTER is in the file as a whole or not. Its first
 * word, length and CRC-32C, is stored last. Expiry is noted as wall-clock time and needs no record.
 *
 * The file has two halves. When one is full the other begins, and all AORs that have no record in it
 * yet are copied there: one by one with each record, so that the copy is done long before this half is
 * full, and sooner with ticks. So there is always room: a half has 1.5 times what all slots of the
 * location service can hold. On start both halves are replayed by sequence number and written into a
 * new file, which takes the old one's name when it is complete.
 *
 * What a power cut takes: everything since the last sip_journal_sync that has returned 0. Whoever never
 * calls that (`durable` false) leaves it to the kernel's write-back, 30 s usually, in no certain order.
 * With `durable`, the half before last is overwritten only when the last is synced; should the disk
 * stand still for so long that this has to be waited for, sip_journal_room says no, and the registrar
 * 503.
 *
 * The kernel write-protects pages that it has written back: the next store to one costs a page fault,
 * about 1 µs for each 4 KiB of journal. sip_journal_sync has some of them taken beforehand, on the
 * thread that calls it. On tmpfs nothing is written back, and nothing outlives a reboot.
 *
 * Another version of the stage can open the file beside the one that writes it (`succeeds`). It writes only
 * when it has been told where the other one has stopped; should it have to give way again, the other one goes on
 * from there, and what the second has noted is void. Whoever has the file open holds a shared lock, whoever
 * begins with it an exclusive one, so that no other program gets between.
 *
 * Ownership: location and names are the caller's. Threads: note and tick on the one that owns the
 * location; sync and clock on another at any time; create and destroy while neither runs.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "location.h"
#include "proxy.h"

struct sip_journal;
struct sip_replay;

struct sip_journal_conf {
	const char *path;
	const struct sip_own *own; /* addresses by which bindings name theirs in the file */
	uint32_t n_own;
	bool durable;  /* sip_journal_sync will be called */
	bool succeeds; /* somebody else writes it until sip_journal_take */
	uint64_t tsc_hz;
	uint64_t now, wall_ms;           /* one moment: of the TSC, and in ms since 1970 */
	const struct nfv_lender *lender; /* of what changes beside the file; NULL: the heap */
};

/**
 * Open or create the file, lock it, and put what is in it into `l`, which is empty; l's identity hash
 * becomes that of the file, or, of a new one, stays. Errors, all with a sentence and with the file left
 * as it was: -EBUSY: another process has it; -EINVAL: it is no journal, or damaged in its head; -ENOSPC:
 * there is no room on the disk, or in `l` for what the file holds; as of open, flock, mmap.
 */
int sip_journal_create(const struct sip_journal_conf *conf, struct sip_location *l,
	struct sip_journal **out, struct nfv_err *err);
/** Put what is in the file of a journal that is open in this process, or was, into `l`, as above; the file
 * is only read. For replicas, before anything is noted. Errors: as above, -ENOENT. */
int sip_journal_read(const struct sip_journal_conf *conf, struct sip_location *l,
	struct sip_replay *out, struct nfv_err *err);
/** Syncs, and lets go. */
void sip_journal_destroy(struct sip_journal *j);

/** Whether one AOR can be noted; begins the other half if it must. False: see `durable` above. To be
 * asked before anything is changed. */
bool sip_journal_room(struct sip_journal *j);
/** Note what is true of an AOR now; `aor` is SIP_NONE if it has no bindings any more. */
void sip_journal_note(struct sip_journal *j, struct nfv_sv key, uint32_t aor, uint64_t now);
/** Copy up to `max` AORs, if a half has begun. Returns how many are still to be looked at. Whose turn it is not
 * takes it: what was given is taken back; what was never handed over is read from the file. */
uint32_t sip_journal_tick(struct sip_journal *j, uint64_t now, uint32_t max);

/** Where a version of the stage has stopped. */
struct sip_journal_place {
	uint64_t seq, at, noted_here, copied_seq, synced;
	uint32_t active, zero;
};

/** It is another's from now on, until sip_journal_tick. */
struct sip_journal_place sip_journal_give(struct sip_journal *j, uint64_t now);
/** Go on from there. -EINVAL: that is no place in this file. */
int sip_journal_take(struct sip_journal *j, const struct sip_journal_place *place);

/** Have the disk hold everything noted up to now. 0, or as of msync, with a sentence. */
int sip_journal_sync(struct sip_journal *j, struct nfv_err *err);
/** What the wall clock says at `now`; once a minute is enough. */
void sip_journal_clock(struct sip_journal *j, uint64_t now, uint64_t wall_ms);

/** What was found in a file. */
struct sip_replay {
	uint64_t records;
	uint64_t bindings; /* alive when all was done */
	uint64_t expired;  /* passed over */
	uint64_t torn;     /* halves that end in an incomplete record */
	uint64_t bad;      /* whole records that make no sense */
	uint64_t refused;  /* records for which the location service has no room */
};

struct sip_journal_stats {
	struct sip_replay replay;
	uint64_t bytes; /* of the file */
	uint64_t used;  /* of the half that is written */
	uint64_t half;
	uint64_t noted, copied, switches, refused;
	uint64_t unsynced; /* records */
	uint32_t to_copy;
};

struct sip_journal_stats sip_journal_stats(const struct sip_journal *j);

#endif
