/* Groups: finding a child by path and listing children, whatever form the links have.
 *
 * Specification: III.A.1 and III.B to III.D (symbol tables: a B-tree of SNOD nodes whose keys are
 * names in a local heap), IV.A.2.c and IV.A.2.g (link info and link messages), III.G with III.A.2
 * (dense links: a fractal heap indexed by the hash of the name).
 *
 * A symbol table is searched, not scanned: the tree has the largest name of every child as its
 * keys. Node sizes are not checked against the superblock's k: every k is read the same way. */
#include "formats/h5_internal.h"

#include <stdlib.h>

enum { LINK_HARD = 0, LINK_SOFT = 1, LINK_EXTERNAL = 64 };

typedef struct h5_link {
    const char *name; /* in the mapping; terminated only in symbol tables */
    uint32_t length, kind;
    uint64_t address; /* hard links */
} h5_link;

typedef struct h5_group {
    krti_h5 *f;
    uint64_t header;
    bool is_table, is_dense;
    uint64_t tree, heap; /* symbol table, or name index and fractal heap */
} h5_group;

static krt_status link_info(h5_group *g, krti_h5_cursor c)
{
    const unsigned version = krti_h5_take8(&c), flags = krti_h5_take8(&c);

    krti_h5_skip(&c, (flags & 1) != 0 ? 8 : 0);
    g->heap = krti_h5_take_address(g->f, &c);
    g->tree = krti_h5_take_address(g->f, &c);
    if (version != 0 || c.is_short)
        return krti_h5_fail(g->f, KRT_E_UNSUPPORTED,
                            "HDF5 group at byte %" PRIu64 " has link info of version %u", g->header,
                            version);
    g->is_dense = g->heap != KRTI_H5_UNDEFINED;
    return KRT_OK;
}

static krt_status refuse_non_group(h5_group *g)
{
    static const char *const names[] = {"", "Group", "Dataset", "Datatype"};
    krti_h5_kind kind = KRTI_H5_OTHER;
    krt_status st = krti_h5_kind_of(g->f, (krti_h5_object){g->header}, &kind);

    if (st != KRT_OK)
        return st;
    return krti_h5_fail(g->f, KRT_E_FORMAT, "Invalid H5 file, expected Group but received %s",
                        names[kind]);
}

static krt_status open_group(krti_h5 *f, krti_h5_object object, h5_group *g)
{
    krt_status st = KRT_OK;
    krti_h5_header h;
    krti_h5_message m = {.type = KRTI_H5_MSG_END};

    *g = (h5_group){.f = f, .header = object.header};
    TRY(krti_h5_header_open(f, object.header, &h));
    do
        TRY(krti_h5_header_next(&h, &m));
    while (m.type != KRTI_H5_MSG_END && m.type != KRTI_H5_MSG_SYMBOLS &&
           m.type != KRTI_H5_MSG_LINK_INFO);
    if (m.type == KRTI_H5_MSG_END) {
        TRY(refuse_non_group(g));
    } else if (m.type == KRTI_H5_MSG_LINK_INFO) {
        TRY(link_info(g, m.body));
    } else {
        g->is_table = true;
        g->tree = krti_h5_take_address(f, &m.body);
        g->heap = krti_h5_take_address(f, &m.body);
    }
done:
    krti_h5_header_close(&h);
    return st;
}

/* -1, 0, 1 in the order of bytes, which is strcmp's. */
static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order != 0 ? order : a_length < b_length ? -1 : a_length > b_length;
}

static krt_status check_name(const h5_group *g, const h5_link *link)
{
    if (link->length != 0 && memchr(link->name, '/', link->length) == NULL &&
        memchr(link->name, '\0', link->length) == NULL)
        return KRT_OK;
    return krti_h5_fail(g->f, KRT_E_CORRUPT,
                        "HDF5 group at byte %" PRIu64 " has a child with an impossible name",
                        g->header);
}

/* ------------------------------------------------------------------------------- symbol tables */

enum { ANY_LEVEL = -1, MAX_TREE_LEVEL = 24 };

typedef struct tree_node {
    int level;
    unsigned num;
    const unsigned char *keys; /* key 0, child 0, key 1, ... key num */
} tree_node;

typedef struct symbols {
    const h5_group *g;
    krti_h5_names names;
    uint64_t budget;
    const char *last; /* listing: the name before, which must be smaller */
    krti_h5_each_fn each;
    void *user;
} symbols;

static krt_status open_symbols(const h5_group *g, symbols *s)
{
    *s = (symbols){.g = g, .budget = g->f->size, .last = ""};
    return krti_h5_names_open(g->f, g->heap, &s->names);
}

static krt_status open_tree_node(symbols *s, uint64_t address, int level, tree_node *out)
{
    krt_status st = KRT_OK;
    krti_h5 *const f = s->g->f;
    const unsigned char *p = NULL;
    const uint64_t header = 8 + 2 * (uint64_t)f->offset_size;

    TRY(krti_h5_span(f, address, header, "group B-tree", &p));
    out->level = p[5];
    out->num = (unsigned)krti_h5_little(p + 6, 2);
    if (!krti_h5_has_signature(p, "TREE") || p[4] != 0 || out->level > MAX_TREE_LEVEL ||
        (level != ANY_LEVEL && out->level != level))
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5: no group B-tree node of level %d at byte %" PRIu64,
                            level == ANY_LEVEL ? 0 : level, address);
    const uint64_t size = out->num * (uint64_t)(f->length_size + f->offset_size) + f->length_size;
    TRY(krti_h5_spend(f, &s->budget, size, "group B-tree"));
    TRY(krti_h5_span(f, address + header, size, "group B-tree", &p));
    out->keys = p;
done:
    return st;
}

static krt_status key_name(const symbols *s, const tree_node *node, unsigned i, const char **out)
{
    const krti_h5 *const f = s->g->f;
    const unsigned char *const p = node->keys + i * (size_t)(f->length_size + f->offset_size);

    return krti_h5_names_at(s->g->f, &s->names, krti_h5_little(p, f->length_size), out);
}

static uint64_t child_address(const symbols *s, const tree_node *node, unsigned i)
{
    const krti_h5 *const f = s->g->f;
    krti_h5_cursor c = krti_h5_cursor_at(
        node->keys + i * (size_t)(f->length_size + f->offset_size) + f->length_size,
        f->offset_size);

    return krti_h5_take_address(f, &c);
}

static size_t entry_size(const krti_h5 *f)
{
    return 24 + 2 * (size_t)f->offset_size;
}

static krt_status open_leaf(symbols *s, uint64_t address, unsigned *num, const unsigned char **out)
{
    krt_status st = KRT_OK;
    krti_h5 *const f = s->g->f;
    const unsigned char *p = NULL;

    TRY(krti_h5_span(f, address, 8, "symbol table node", &p));
    if (!krti_h5_has_signature(p, "SNOD") || p[4] != 1)
        return krti_h5_fail(f, KRT_E_CORRUPT, "HDF5: no symbol table node at byte %" PRIu64,
                            address);
    *num = (unsigned)krti_h5_little(p + 6, 2);
    const uint64_t size = 8 + *num * (uint64_t)entry_size(f);
    TRY(krti_h5_spend(f, &s->budget, size, "symbol table node"));
    TRY(krti_h5_span(f, address, size, "symbol table node", &p));
    *out = p + 8;
done:
    return st;
}

static krt_status read_entry(const symbols *s, const unsigned char *entries, unsigned i,
                             h5_link *out)
{
    enum { CACHED_SOFT_LINK = 2 };
    krt_status st = KRT_OK;
    krti_h5 *const f = s->g->f;
    krti_h5_cursor c = krti_h5_cursor_at(entries + i * entry_size(f), entry_size(f));

    TRY(krti_h5_names_at(f, &s->names, krti_h5_take(&c, f->offset_size), &out->name));
    const size_t length = strlen(out->name);
    out->length = length > UINT32_MAX ? 0 : (uint32_t)length;
    out->address = krti_h5_take_address(f, &c);
    out->kind = krti_h5_take32(&c) == CACHED_SOFT_LINK ? LINK_SOFT : LINK_HARD;
done:
    return st;
}

static krt_status find_in_leaf(symbols *s, uint64_t address, const char *name, size_t length,
                               h5_link *out, bool *found)
{
    krt_status st = KRT_OK;
    const unsigned char *entries = NULL;
    unsigned num = 0, low = 0;

    TRY(open_leaf(s, address, &num, &entries));
    for (unsigned high = num; low < high;) {
        const unsigned middle = low + (high - low) / 2;

        TRY(read_entry(s, entries, middle, out));
        const int order = compare_names(name, length, out->name, out->length);
        if (order == 0) {
            *found = true;
            return st;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
done:
    return st;
}

/* The first child whose last name is not before `name`; num when there is none. */
static krt_status find_child(symbols *s, const tree_node *node, const char *name, size_t length,
                             unsigned *out)
{
    krt_status st = KRT_OK;
    const char *key = "";
    unsigned low = 0;

    for (unsigned high = node->num; low < high;) {
        const unsigned middle = low + (high - low) / 2;

        TRY(key_name(s, node, middle + 1, &key));
        if (compare_names(name, length, key, strlen(key)) <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    *out = low;
done:
    return st;
}

static krt_status find_in_table(const h5_group *g, const char *name, size_t length, h5_link *out,
                                bool *found)
{
    krt_status st = KRT_OK;
    symbols s;
    tree_node node = {.level = ANY_LEVEL};
    uint64_t address = g->tree;
    int level = ANY_LEVEL;

    TRY(open_symbols(g, &s));
    do {
        unsigned i = 0;

        TRY(open_tree_node(&s, address, level, &node));
        TRY(find_child(&s, &node, name, length, &i));
        if (i == node.num)
            return st;
        address = child_address(&s, &node, i);
        level = node.level - 1;
    } while (level >= 0);
    TRY(find_in_leaf(&s, address, name, length, out, found));
done:
    return st;
}

static krt_status each_in_leaf(symbols *s, uint64_t address)
{
    krt_status st = KRT_OK;
    const unsigned char *entries = NULL;
    unsigned num = 0;
    h5_link link = {.name = ""};

    TRY(open_leaf(s, address, &num, &entries));
    for (unsigned i = 0; i < num; i++) {
        TRY(read_entry(s, entries, i, &link));
        TRY(check_name(s->g, &link));
        if (strcmp(s->last, link.name) >= 0)
            return krti_h5_fail(s->g->f, KRT_E_CORRUPT,
                                "HDF5 group at byte %" PRIu64 " has names out of order",
                                s->g->header);
        s->last = link.name;
        const bool is_hard = link.kind == LINK_HARD;
        TRY(s->each(s->user, link.name,
                    (krti_h5_object){is_hard ? link.address : KRTI_H5_UNDEFINED}, is_hard));
    }
done:
    return st;
}

/* Recursion is as deep as the tree, MAX_TREE_LEVEL at most. */
static krt_status each_in_tree(symbols *s, uint64_t address, int level)
{
    krt_status st = KRT_OK;
    tree_node node;

    TRY(open_tree_node(s, address, level, &node));
    for (unsigned i = 0; i < node.num; i++) {
        const uint64_t child = child_address(s, &node, i);

        TRY(node.level == 0 ? each_in_leaf(s, child) : each_in_tree(s, child, node.level - 1));
    }
done:
    return st;
}

/* ------------------------------------------------------------------------------- link messages */

static krt_status parse_link(const h5_group *g, krti_h5_cursor c, h5_link *out)
{
    const unsigned version = krti_h5_take8(&c), flags = krti_h5_take8(&c);

    out->kind = (flags & 0x08) != 0 ? krti_h5_take8(&c) : LINK_HARD;
    krti_h5_skip(&c, (flags & 0x04) != 0 ? 8 : 0); /* creation order */
    krti_h5_skip(&c, (flags & 0x10) != 0 ? 1 : 0); /* character set: we keep bytes */
    const uint64_t length = krti_h5_take(&c, (size_t)1 << (flags & 3));
    out->name = (const char *)krti_h5_skip(&c, length);
    out->length = (uint32_t)length;
    out->address = KRTI_H5_UNDEFINED;
    if (out->kind == LINK_HARD)
        out->address = krti_h5_take_address(g->f, &c);
    if (version != 1 || c.is_short || length > UINT32_MAX)
        return krti_h5_fail(g->f, version > 1 ? KRT_E_UNSUPPORTED : KRT_E_CORRUPT,
                            "HDF5 group at byte %" PRIu64 " has a damaged link of version %u",
                            g->header, version);
    return check_name(g, out);
}

/* Links of a new-style group, gathered; or only the one named. */
typedef struct h5_links {
    const h5_group *g;
    const char *wanted; /* NULL: all */
    size_t length;
    krti_h5_fractal heap;
    bool has_hit;
    h5_link hit; /* the wanted one */
    h5_link *items;
    size_t num, capacity;
} h5_links;

static krt_status add_link(h5_links *s, krti_h5_cursor body)
{
    krt_status st = KRT_OK;
    h5_link link;

    TRY(parse_link(s->g, body, &link));
    if (s->wanted != NULL) {
        if (compare_names(s->wanted, s->length, link.name, link.length) == 0) {
            s->hit = link;
            s->has_hit = true;
        }
        return st;
    }
    TRY(krti_grow(s->g->f->k, &s->items, &s->capacity, s->num + 1, sizeof *s->items));
    s->items[s->num++] = link;
done:
    return st;
}

static krt_status add_dense_link(void *user, const unsigned char *record)
{
    krt_status st = KRT_OK;
    h5_links *const s = user;
    const unsigned char *p = NULL;
    uint64_t size = 0;

    TRY(krti_h5_fractal_find(s->g->f, &s->heap, record + 4, &p, &size));
    TRY(add_link(s, krti_h5_cursor_at(p, size)));
done:
    return st;
}

static krt_status gather_dense(h5_links *s)
{
    enum { LINK_NAME_INDEX = 5, HASH = 4, ID = 7 };
    krt_status st = KRT_OK;
    krti_h5 *const f = s->g->f;
    const uint32_t hash =
        s->wanted == NULL ? 0 : krti_h5_lookup3((const unsigned char *)s->wanted, s->length);
    const krti_h5_btree2 tree = {.type = LINK_NAME_INDEX,
                                 .record_size = HASH + ID,
                                 .hash = s->wanted == NULL ? NULL : &hash,
                                 .each = add_dense_link,
                                 .user = s};

    TRY(krti_h5_fractal_open(f, s->g->heap, &s->heap));
    if (s->heap.id_size != ID)
        return krti_h5_fail(f, KRT_E_CORRUPT,
                            "HDF5 fractal heap at byte %" PRIu64 " has ids of %u bytes, expected 7",
                            s->heap.address, s->heap.id_size);
    TRY(krti_h5_btree2_each(f, s->g->tree, &tree));
done:
    return st;
}

static krt_status gather_links(h5_links *s)
{
    krt_status st = KRT_OK;
    krti_h5_header h;
    krti_h5_message m;

    if (s->g->is_dense)
        return gather_dense(s);
    TRY(krti_h5_header_open(s->g->f, s->g->header, &h));
    for (;;) {
        TRY(krti_h5_header_next(&h, &m));
        if (m.type == KRTI_H5_MSG_END)
            break;
        if (m.type == KRTI_H5_MSG_LINK) {
            TRY(krti_h5_message_resolve(s->g->f, &m));
            TRY(add_link(s, m.body));
        }
    }
done:
    krti_h5_header_close(&h);
    return st;
}

static int order_links(const void *a, const void *b)
{
    const h5_link *const x = a, *const y = b;

    return compare_names(x->name, x->length, y->name, y->length);
}

static krt_status each_link(h5_links *s, krti_h5_each_fn each, void *user)
{
    krt_status st = KRT_OK;
    krti_str name = KRTI_STR_INIT(s->g->f->k);

    if (s->num > 1)
        qsort(s->items, s->num, sizeof *s->items, order_links);
    for (size_t i = 0; i < s->num; i++) {
        const h5_link *const link = &s->items[i];

        if (i > 0 && order_links(link - 1, link) == 0) {
            st = krti_h5_fail(s->g->f, KRT_E_CORRUPT,
                              "HDF5 group at byte %" PRIu64 " has a name twice", s->g->header);
            goto done;
        }
        krti_str_clear(&name);
        TRY(krti_str_add_n(&name, link->name, link->length));
        TRY(each(user, krti_str_text(&name), (krti_h5_object){link->address},
                 link->kind == LINK_HARD));
    }
done:
    krti_str_free(&name);
    return st;
}

krt_status krti_h5_each(krti_h5 *f, krti_h5_object object, krti_h5_each_fn each, void *user)
{
    krt_status st = KRT_OK;
    h5_group group;
    h5_links links = {.g = &group};

    TRY(open_group(f, object, &group));
    if (group.is_table) {
        symbols s;

        TRY(open_symbols(&group, &s));
        s.each = each;
        s.user = user;
        TRY(each_in_tree(&s, group.tree, ANY_LEVEL));
    } else {
        TRY(gather_links(&links));
        TRY(each_link(&links, each, user));
    }
done:
    krti_free(f->k, links.items);
    return st;
}

/* ------------------------------------------------------------------------------- finding */

static krt_status find_link(const h5_group *g, const char *name, size_t length, h5_link *out,
                            bool *found)
{
    krt_status st = KRT_OK;
    h5_links links = {.g = g, .wanted = name, .length = length};

    *found = false;
    if (g->is_table)
        return find_in_table(g, name, length, out, found);
    TRY(gather_links(&links));
    *found = links.has_hit;
    *out = links.hit;
done:
    return st;
}

static krt_status refuse_link(krti_h5 *f, unsigned kind, const char *path)
{
    const char *const name = kind == LINK_SOFT       ? "SoftLink"
                             : kind == LINK_EXTERNAL ? "ExternalLink"
                                                     : "user-defined link";

    krti_h5_fail(f, KRT_E_UNSAFE, "Not allowed: H5 file with %s", name);
    return krti_fail_in_object(f->k, KRT_E_UNSAFE, path);
}

krt_status krti_h5_find(krti_h5 *f, krti_h5_object from, const char *path, krti_h5_object *out,
                        bool *found)
{
    krt_status st = KRT_OK;
    h5_group group;
    h5_link link = {.kind = LINK_HARD};

    *found = false;
    *out = from;
    for (const char *at = path; *path != '\0';) {
        const size_t length = strcspn(at, "/");

        if (length == 0)
            return krti_h5_fail(f, KRT_E_FORMAT, "Invalid path in H5 file: %s", path);
        st = open_group(f, *out, &group);
        if (st != KRT_OK)
            return krti_fail_in_object(f->k, st, path);
        TRY(find_link(&group, at, length, &link, found));
        if (!*found)
            return st;
        if (link.kind != LINK_HARD)
            return refuse_link(f, link.kind, path);
        out->header = link.address;
        at += length;
        if (*at == '\0')
            return st;
        at++;
    }
    *found = true;
done:
    return st;
}

/* ------------------------------------------------------------------------------- walking */

enum { MAX_DEPTH = 128, LEAST_LINK = 16 /* bytes a link takes in any form */ };

/* A group may be linked from many places, and each of them may hold many such links: a small file
 * can name more objects than can ever be visited. So every link is paid for, and the structures
 * behind them together, those gone through by `each` itself aside, may cost PATIENCE files. */
enum { PATIENCE = 64 };

typedef struct h5_walk {
    krti_h5 *f;
    krti_str path;
    int depth;
    uint64_t budget;
    uint64_t not_ours; /* f->spent before the walk, and what `each` added to it */
    krti_h5_walk_fn each;
    void *user;
} h5_walk;

static krt_status check_patience(const h5_walk *w)
{
    if ((w->f->spent - w->not_ours) / PATIENCE <= w->f->size)
        return KRT_OK;
    return krti_h5_fail(w->f, KRT_E_CORRUPT, "HDF5 groups are linked too often to be listed");
}

static krt_status walk_child(void *user, const char *name, krti_h5_object object, bool is_hard_link)
{
    krt_status st = KRT_OK;
    h5_walk *const w = user;
    const size_t length = w->path.length;
    krti_h5_kind kind = KRTI_H5_OTHER;

    TRY(krti_h5_spend(w->f, &w->budget, LEAST_LINK, "group"));
    TRY(krti_str_addf(&w->path, length == 0 ? "%s" : "/%s", name));
    if (is_hard_link)
        TRY(krti_h5_kind_of(w->f, object, &kind));
    TRY(check_patience(w));
    const uint64_t before = w->f->spent;
    TRY(w->each(w->user, krti_str_text(&w->path), object, kind));
    w->not_ours += w->f->spent - before;
    if (kind == KRTI_H5_GROUP && w->depth == MAX_DEPTH)
        return krti_h5_fail(w->f, KRT_E_CORRUPT,
                            "HDF5 groups nest deeper than %d, they may be linked in a circle",
                            MAX_DEPTH);
    if (kind == KRTI_H5_GROUP) {
        w->depth++;
        TRY(krti_h5_each(w->f, object, walk_child, w));
        w->depth--;
    }
    w->path.length = length;
    w->path.ptr[length] = '\0';
done:
    return st;
}

krt_status krti_h5_walk(krti_h5 *f, krti_h5_object from, krti_h5_walk_fn each, void *user)
{
    h5_walk w = {.f = f,
                 .path = KRTI_STR_INIT(f->k),
                 .budget = f->size,
                 .not_ours = f->spent,
                 .each = each,
                 .user = user};
    const krt_status st = krti_h5_each(f, from, walk_child, &w);

    krti_str_free(&w.path);
    return st;
}
