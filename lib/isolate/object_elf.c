/* An object is looked at before it is mapped: the loader believes what stands in it. */
#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "nfv_object_file.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "name this machine's ELF number"
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER ELFDATA2LSB
#else
#define ORDER ELFDATA2MSB
#endif

/* Beginnings of the names of libraries that are there anyway. */
static const char *const there[] = { "libc.so.", "libm.so.", "ld-linux",
#if defined(__SANITIZE_ADDRESS__)
	"libasan.so.", "libubsan.so.",
#endif
	NULL };

struct elf {
	const uint8_t *bytes;
	size_t n;
	bool program;
	Elf64_Ehdr head;
};

static int
refuse(struct nfv_err *err, const char *why)
{
	return nfv_fail(err, ENOEXEC, "%s; build it for this machine, as what it is to be", why);
}

static Elf64_Phdr
segment(const struct elf *e, unsigned int i)
{
	Elf64_Phdr p;

	memcpy(&p, e->bytes + e->head.e_phoff + i * sizeof(p), sizeof(p));
	return p;
}

static bool
inside(const struct elf *e, uint64_t off, uint64_t n)
{
	return off <= e->n && n <= e->n - off;
}

/* Where in the file an address lies; false: in no segment. */
static bool
offset_of(const struct elf *e, uint64_t addr, uint64_t *off)
{
	for (unsigned int i = 0; i < e->head.e_phnum; i++) {
		Elf64_Phdr p = segment(e, i);

		if (p.p_type == PT_LOAD && addr >= p.p_vaddr && addr - p.p_vaddr < p.p_filesz) {
			*off = p.p_offset + (addr - p.p_vaddr);
			return inside(e, *off, 1);
		}
	}
	return false;
}

/* A program's libraries are those of the system, as the pipeline's own are. */
static int
check_needed(const struct elf *e, const char *name, struct nfv_err *err)
{
	if (e->program && strchr(name, '/') == NULL)
		return 0;
	for (int i = 0; there[i] != NULL; i++)
		if (strncmp(name, there[i], strlen(there[i])) == 0)
			return 0;
	return nfv_fail(err, ENOEXEC,
		"it needs the library %.64s, which nobody has checked; link that into it statically",
		name);
}

/* What it wants of the loader. */
static int
check_dynamic(const struct elf *e, const Elf64_Phdr *p, struct nfv_err *err)
{
	uint64_t strings = 0, off;
	Elf64_Dyn d;

	for (uint64_t i = 0; i < p->p_filesz / sizeof(d); i++) {
		memcpy(&d, e->bytes + p->p_offset + i * sizeof(d), sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_STRTAB && !offset_of(e, d.d_un.d_ptr, &strings))
			return refuse(err, "its names lie outside it");
		if (d.d_tag == DT_TEXTREL || (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_TEXTREL))
			return nfv_fail(err, ENOEXEC,
				"its code would have to be written to; compile all of it with "
				"-fPIC");
		if (d.d_tag == DT_RPATH || d.d_tag == DT_RUNPATH)
			return nfv_fail(err, ENOEXEC,
				"it wants libraries from a folder of its own; link it without RPATH "
				"and RUNPATH");
	}
	for (uint64_t i = 0; i < p->p_filesz / sizeof(d); i++) {
		memcpy(&d, e->bytes + p->p_offset + i * sizeof(d), sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag != DT_NEEDED)
			continue;
		off = strings + d.d_un.d_val;
		if (strings == 0 || d.d_un.d_val > e->n || !inside(e, off, 1) ||
			memchr(e->bytes + off, 0, e->n - off) == NULL)
			return refuse(err, "its names lie outside it");
		if (check_needed(e, (const char *)e->bytes + off, err) < 0)
			return -ENOEXEC;
	}
	return 0;
}

int
nfv_object_elf(const uint8_t *bytes, size_t n, bool program, struct nfv_err *err)
{
	struct elf e = { .bytes = bytes, .n = n, .program = program };
	bool dynamic = false;

	if (n < sizeof(e.head))
		return refuse(err, "it is shorter than the head of an ELF file");
	memcpy(&e.head, bytes, sizeof(e.head));
	if (memcmp(e.head.e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(err, "it is not an ELF file");
	if (e.head.e_ident[EI_CLASS] != ELFCLASS64 || e.head.e_ident[EI_DATA] != ORDER ||
		e.head.e_machine != MACHINE)
		return refuse(err, "it is for another machine");
	if (e.head.e_type != ET_DYN && (!program || e.head.e_type != ET_EXEC))
		return refuse(err, program ? "it is no program" : "it is no shared object");
	if (e.head.e_phentsize != sizeof(Elf64_Phdr) || e.head.e_phnum == 0 ||
		!inside(&e, e.head.e_phoff, (uint64_t)e.head.e_phnum * sizeof(Elf64_Phdr)))
		return refuse(err, "its table of segments lies outside it");
	for (unsigned int i = 0; i < e.head.e_phnum; i++) {
		Elf64_Phdr p = segment(&e, i);

		if (p.p_type == PT_INTERP && !program)
			return refuse(err, "it is a program");
		if ((p.p_type == PT_LOAD || p.p_type == PT_DYNAMIC) &&
			!inside(&e, p.p_offset, p.p_filesz))
			return refuse(err, "a segment lies outside it");
		if (p.p_type == PT_LOAD && (p.p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
			return refuse(err, "a segment is both writable and executable");
		if (p.p_type == PT_GNU_STACK && p.p_flags & PF_X)
			return refuse(err, "it wants an executable stack");
	}
	for (unsigned int i = 0; i < e.head.e_phnum; i++) {
		Elf64_Phdr p = segment(&e, i);

		dynamic |= p.p_type == PT_DYNAMIC;
		if (p.p_type == PT_DYNAMIC && check_dynamic(&e, &p, err) < 0)
			return -ENOEXEC;
	}
	if (program)
		return e.head.e_entry != 0 ? 0 : refuse(err, "it is no program");
	return dynamic ? 0 : refuse(err, "it exports nothing");
}
