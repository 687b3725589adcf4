/**
 * @file
 * Message templates: text with SIPp's keywords in brackets, taken apart once into pieces, and put
 * together for a call by copying them one after the other. `[len]` is patched when the length is
 * known. Line ends become CR LF and leading white space of lines is dropped, as SIPp does.
 *
 * Ownership: a template owns its text and its pieces. Threads: read-only once compiled.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "nfv_err.h"
#include "nfv_sip.h"
#include "nfv_sip_write.h"
#include "vars.h"

/** Everything in brackets that is known. What stands for an argument is in the piece. */
enum keyword {
	KW_TEXT, /* not a keyword: literal text */
	KW_SERVICE,
	KW_CALL_ID,
	KW_CALL_NUMBER,
	KW_CSEQ,   /* [cseq], [cseq+N], [cseq-N] */
	KW_BRANCH, /* [branch], [branch-N]: that of the step N before, as SIPp counts */
	KW_LEN,
	KW_PID,
	KW_LOCAL_IP,
	KW_LOCAL_IP_TYPE,
	KW_LOCAL_PORT, /* with +N */
	KW_REMOTE_IP,
	KW_REMOTE_PORT,
	KW_REMOTE_HOST,
	KW_TRANSPORT,
	KW_MEDIA_IP,
	KW_MEDIA_IP_TYPE,
	KW_MEDIA_PORT, /* with +N */
	KW_AUTO_MEDIA_PORT,
	KW_PEER_TAG_PARAM, /* ;tag=…, or nothing */
	KW_LAST_HEADER,    /* [last_Via:]: all lines of it; [last_Via:value] */
	KW_LAST_MESSAGE,
	KW_LAST_REQUEST_URI,
	KW_LAST_CSEQ_NUMBER, /* with +N */
	KW_LAST_BRANCH,
	KW_ROUTES,
	KW_NEXT_URL,
	KW_FIELD,          /* [field0 file=… line=…] */
	KW_VARIABLE,       /* [$name] */
	KW_AUTHENTICATION, /* [authentication username=… password=… …] */
	KW_MSG_INDEX,
	KW_CLOCK_TICK,
	KW_TIMESTAMP,
	KW_DATE,
	KW_SIPP_VERSION,
	KW_USERS,
	KW_USERID,
	KW_TDMMAP,
	KW_FILL,    /* [fill variable=… text=…] */
	KW_FILE,    /* [file name=…]: read when compiled */
	KW_GENERIC, /* given by -key: replaced when compiled */
	KEYWORDS
};

struct store;

struct piece {
	uint8_t keyword;    /* enum keyword */
	bool value_only;    /* KW_LAST_HEADER with :value */
	int16_t var;        /* KW_VARIABLE, KW_FIELD's line, KW_FILL's length; an id, -1: none */
	int32_t offset;     /* + or - N; KW_FIELD's line if no variable says it, -1: the call's */
	uint16_t field;     /* KW_FIELD: which; KW_LAST_HEADER: enum nfv_sip_field */
	struct nfv_sv text; /* KW_TEXT; header's name; KW_FIELD's file; KW_FILL's text */
	struct template *username, *password; /* KW_AUTHENTICATION; NULL: -au, -ap */
};

struct template
{
	struct piece *piece;
	uint16_t n;
	bool uses_last; /* needs the last message received */
	bool uses_auth, uses_fields;
	bool uses_moment;    /* a clock or a variable: rendered later it may come out otherwise */
	int16_t len_at;      /* index of the [len] piece, -1: none */
	struct store *store; /* owned: pieces and texts */
};

/** Where words of a template come from that only the scenario or the command line knows. */
struct template_names {
	void *ctx;
	/** Id of a variable, made if new; -1: there are too many. */
	int (*variable)(void *ctx, struct nfv_sv name);
	/** Value of a -key, or a NULL view; NULL: there are none. */
	struct nfv_sv (*generic)(void *ctx, struct nfv_sv name);
	/** Told of everything that is wrong, with its line in the text, from 0; NULL: only the first
	 * is reported, by template_compile's error. */
	void (*fault)(void *ctx, unsigned int line, const char *sentence);
};

/**
 * Take a template apart; `message`: it is a SIP message, so its line ends are made CR LF, leading
 * and trailing white space of its lines is dropped, and an empty line is added if there is none.
 * Errors: -EINVAL: an unknown keyword, named in the sentence, or one that is not supported; -ENOMEM.
 */
int template_compile(struct nfv_sv text, bool message, const struct template_names *names,
	struct template *out, struct nfv_err *err);
void template_fini(struct template *t);

/** Everything a template may ask for, of one call at one moment. */
struct facts {
	struct nfv_sv service, call_id, next_url, routes, peer_tag; /* peer_tag without ;tag= */
	struct nfv_sv local_ip, remote_ip, media_ip;                /* as in a URI: [::1] */
	struct nfv_sv branch; /* the call's: each message's has -msg_index behind it */
	struct nfv_sv auth_user, auth_password;
	uint64_t call_number, users, userid, clock_ms;
	uint64_t wall_us; /* since 1970, UTC */
	uint32_t cseq, msg_index, pid;
	uint16_t local_port, remote_port, media_port;
	bool ip6;
	const struct nfv_sip_msg *last; /* last message received, or NULL */
	struct vars *vars[VAR_SCOPES];  /* NULL where the scenario has none */
	void *ctx;
	/** [field N file=F line=L], line -1: the call's own; a NULL view: no such column. */
	struct nfv_sv (*field)(void *ctx, struct nfv_sv file, int64_t line, unsigned int field);
	/** Write [authentication]: the whole header line without its end, or nothing. What `w` holds
	 * already is the message without that line. NULL: nothing is written. */
	void (*authenticate)(void *ctx, struct nfv_sv user, struct nfv_sv password,
		struct nfv_sv body, struct nfv_sip_writer *w);
};

/** Value of a variable by its id, or NULL: -1 is none. */
static inline struct value *
facts_value(const struct facts *f, int id)
{
	struct vars *v = id >= 0 ? f->vars[VAR_SCOPE(id)] : NULL;

	return v != NULL ? &v->value[VAR_PLACE(id)] : NULL;
}

/** As a scenario's `test` and `condexec` ask. */
static inline bool
facts_is_set(const struct facts *f, int id)
{
	const struct value *v = facts_value(f, id);

	return v != NULL && value_is_set(v);
}

/** Put a message together at the end of `w`. False: it did not fit (w->full) or a field was missing. */
bool template_render(const struct template *t, const struct facts *f, struct nfv_sip_writer *w);

/** The value of `name=` among words as [authentication] has them, quotes taken off. */
bool template_param(struct nfv_sv words, struct nfv_sv name, struct nfv_sv *out);

#endif
