#include "base/json_tree.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/keyset.h"

/* Recursion is bounded: checked text is at most JSON_DEPTH_MAX deep, and a merge is no deeper than
 * the deeper of the two.
 *
 * The trees are built from views of checked text, not by cJSON_Parse, which would turn numbers into
 * doubles: here a number is a "raw" item, its digits untouched. */

static cJSON *tree_build(struct json v);

/* The inside of a string, 0-terminated. */
static char *tree_plain(struct str raw)
{
    char *z = malloc(raw.n + 1);

    if (z)
        z[json_unescape(raw, z)] = '\0';
    return z;
}

static cJSON *tree_build_text(struct json v, enum json_type type)
{
    char *z = NULL;
    cJSON *item = NULL;

    if (type == JSON_STRING) {
        z = tree_plain((struct str){v.p + 1, v.n - 2});
    } else {
        z = malloc(v.n + 1);
        if (z) {
            memcpy(z, v.p, v.n);
            z[v.n] = '\0';
        }
    }
    if (z)
        item = type == JSON_STRING ? cJSON_CreateString(z) : cJSON_CreateRaw(z);
    free(z);
    return item;
}

static bool tree_add(cJSON *parent, const struct json_iter *it, bool is_object)
{
    cJSON *child = tree_build(it->value);
    char *key = NULL;
    bool is_added = false;

    if (!child)
        return false;
    if (is_object) {
        key = tree_plain(it->key);
        is_added = key && cJSON_AddItemToObject(parent, key, child);
    } else {
        is_added = cJSON_AddItemToArray(parent, child);
    }
    free(key);
    if (!is_added)
        cJSON_Delete(child);
    return is_added;
}

/* NULL when memory is short. */
static cJSON *tree_build(struct json v)
{
    enum json_type type = json_type(v);
    struct json_iter it;

    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return tree_build_text(v, type);
    cJSON *tree = type == JSON_OBJECT ? cJSON_CreateObject() : cJSON_CreateArray();
    json_iter_init(&it, v);
    while (tree && json_iter_next(&it)) {
        if (!tree_add(tree, &it, type == JSON_OBJECT)) {
            cJSON_Delete(tree);
            tree = NULL;
        }
    }
    return tree;
}

static void tree_write(const cJSON *item, struct jw *w)
{
    const cJSON *child;

    if (cJSON_IsObject(item)) {
        jw_object(w);
        cJSON_ArrayForEach(child, item)
        {
            jw_key(w, child->string);
            tree_write(child, w);
        }
        jw_end(w);
    } else if (cJSON_IsArray(item)) {
        jw_array(w);
        cJSON_ArrayForEach(child, item) tree_write(child, w);
        jw_end(w);
    } else if (cJSON_IsString(item)) {
        jw_stringz(w, item->valuestring);
    } else {
        jw_raw(w, str_of(item->valuestring));
    }
}

/* Members by name: cJSON's own look-up walks the object, which would let two large bodies cost the
 * product of their sizes. */
struct tree_index {
    cJSON **slots;
    size_t cap; /* a power of two, more than the members; 0: memory is short */
};

static cJSON **tree_index_slot(const struct tree_index *index, const char *key)
{
    size_t i = keyset_hash(str_of(key)) & (index->cap - 1);

    while (index->slots[i] && strcmp(index->slots[i]->string, key) != 0)
        i = (i + 1) & (index->cap - 1);
    return &index->slots[i];
}

static void tree_index_init(struct tree_index *index, const cJSON *object)
{
    size_t members = (size_t)cJSON_GetArraySize(object);
    cJSON *child;

    for (index->cap = 8; index->cap < members * 2; index->cap *= 2) {}
    index->slots = calloc(index->cap, sizeof(cJSON *));
    if (!index->slots) {
        index->cap = 0;
        return;
    }
    cJSON_ArrayForEach(child, object) * tree_index_slot(index, child->string) = child;
}

static bool tree_is_null(const cJSON *item)
{
    return cJSON_IsRaw(item) && strcmp(item->valuestring, "null") == 0;
}

static int tree_merge(cJSON *target, cJSON *patch);

/* A copy of an object's member that a patch brings new: its nulls delete nothing, and are dropped.
 */
static int tree_without_nulls(cJSON **member)
{
    cJSON *fresh = cJSON_CreateObject();

    if (!fresh)
        return ERR_NOMEM;
    fresh->string = (*member)->string; /* handed over: both come from cJSON's allocator */
    (*member)->string = NULL;
    int rv = tree_merge(fresh, *member);
    cJSON_Delete(*member);
    *member = fresh;
    return rv;
}

/* Puts a member of a patch, detached from it, where it belongs; takes it in any case. *slot is the
 * index's entry for its name. What is deleted goes to *deleted and not yet away, because the index
 * still looks through its name on the way to others. */
static int tree_merge_member(cJSON *target, cJSON **slot, cJSON *member, cJSON **deleted)
{
    cJSON *old = *slot;
    int rv = 0;

    if (tree_is_null(member)) {
        if (old) {
            cJSON_DetachItemViaPointer(target, old);
            old->next = *deleted;
            *deleted = old;
        }
        cJSON_Delete(member);
        return 0;
    }
    if (cJSON_IsObject(member) && old && cJSON_IsObject(old)) {
        rv = tree_merge(old, member);
        cJSON_Delete(member);
        return rv;
    }
    if (cJSON_IsObject(member))
        rv = tree_without_nulls(&member);
    if (old) {
        cJSON_ReplaceItemViaPointer(target, old, member);
        *slot = member;
    } else {
        cJSON_AddItemToArray(target, member); /* keeps its own name; this also appends to objects */
    }
    return rv;
}

/* RFC 7396 on two objects. The patch is left without what was taken from it. */
static int tree_merge(cJSON *target, cJSON *patch)
{
    struct tree_index index;
    cJSON *member, *deleted = NULL;
    int rv = 0;

    tree_index_init(&index, target);
    if (index.cap == 0)
        return ERR_NOMEM;
    while (rv == 0 && (member = patch->child)) {
        cJSON_DetachItemViaPointer(patch, member);
        /* A patch has each name once, so what it adds need not be found again. */
        cJSON **slot = tree_index_slot(&index, member->string);
        rv = tree_merge_member(target, slot, member, &deleted);
    }
    cJSON_Delete(deleted); /* all of the chain */
    free(index.slots);
    return rv;
}

int json_merge(struct str target_text, struct str patch_text, struct buf *out)
{
    struct json target_view = json_root(target_text), patch_view = json_root(patch_text);
    cJSON *target = NULL, *patch = NULL;
    int rv = ERR_NOMEM;
    struct jw w;

    if (json_type(patch_view) != JSON_OBJECT)
        return json_compact(patch_text, out);
    if (json_type(target_view) == JSON_OBJECT)
        target = tree_build(target_view);
    else
        target = cJSON_CreateObject();
    patch = tree_build(patch_view);
    if (target && patch)
        rv = tree_merge(target, patch);
    if (rv == 0) {
        size_t before = out->len;
        jw_init(&w, out);
        tree_write(target, &w);
        rv = buf_error(out);
        if (rv != 0)
            buf_truncate(out, before);
    }
    cJSON_Delete(target);
    cJSON_Delete(patch);
    return rv;
}

int json_compact(struct str text, struct buf *out)
{
    size_t before = out->len, start = 0, i = 0;

    while (i < text.n) {
        if (text.p[i] == '"') {
            for (i++; text.p[i] != '"'; i++)
                i += text.p[i] == '\\';
            i++;
        } else if (json_is_space(text.p[i])) {
            buf_append(out, text.p + start, i - start);
            while (i < text.n && json_is_space(text.p[i]))
                i++;
            start = i;
        } else {
            i++;
        }
    }
    int rv = buf_append(out, text.p + start, i - start);
    if (rv != 0)
        buf_truncate(out, before);
    return rv;
}
