// loader.c - what the loader left in memory, PVH or Multiboot2, in one form.
//
// Loaders are trusted (they chose this image), but lengths are still checked: a wrong one is a message, not
// a fault.
#include "loader.h"

#include "base.h"

enum { PVH_MAGIC = 0x336ec578, PVH_MODULE = 32, PVH_MAP_ENTRY = 24, MB2_MOST = 1 << 20, MEMORY_USABLE = 1 };

struct pvh_info {                              // hvm_start_info, version 1
    uint32_t magic, version, flags, modules;
    uint64_t module_list, cmdline, rsdp, map;
    uint32_t map_entries, reserved;
};
struct pvh_module {
    uint64_t base, length, cmdline, reserved;
};
struct memory {                                // as both say it
    uint64_t base, length;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct pvh_info) == 56 && sizeof(struct pvh_module) == PVH_MODULE, "PVH");
_Static_assert(sizeof(struct memory) == PVH_MAP_ENTRY, "PVH");

static const char *pvh_read(struct loader *l, pa_t information, void *(*at)(pa_t))
{
    const struct pvh_info *info = at(information);

    if (info->magic != PVH_MAGIC) {
        return "the start information has no PVH magic";
    }
    if (info->version < 1 || info->map == 0 || info->map_entries == 0) {
        return "the loader gives no memory map";
    }
    const struct memory *map = at(info->map);
    for (uint32_t i = 0; i < info->map_entries; i++) {
        memmap_add(&l->map, map[i].base, map[i].length, map[i].type == MEMORY_USABLE);
    }
    if (info->modules != 0) {
        const struct pvh_module *module = at(info->module_list);
        l->archive = module->base;
        l->archive_length = module->length;
    }
    if (info->cmdline != 0) {
        const char *line = at(info->cmdline);
        size_t n = strnlen(line, sizeof(l->cmdline) - 1);
        memcpy(l->cmdline, line, n);
    }
    l->rsdp_at = info->rsdp;
    return NULL;
}

enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MAP = 6, TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15 };

struct mb2_tag {
    uint32_t type, size;
};
struct mb2_module {
    struct mb2_tag tag;
    uint32_t base, end;
};
struct mb2_map {
    struct mb2_tag tag;
    uint32_t entry_size, entry_version;
};

static void mb2_map_read(struct loader *l, const struct mb2_tag *tag)
{
    const struct mb2_map *map = (const struct mb2_map *)tag;

    if (tag->size < sizeof(*map) || map->entry_size < sizeof(struct memory)) {
        return;
    }
    for (uint32_t at = sizeof(*map); tag->size - at >= map->entry_size; at += map->entry_size) {
        struct memory m;                       // entries of a strange size would not be aligned
        memcpy(&m, (const char *)tag + at, sizeof(m));
        memmap_add(&l->map, m.base, m.length, m.type == MEMORY_USABLE);
    }
}

static void mb2_tag_read(struct loader *l, const struct mb2_tag *tag)
{
    const char *data = (const char *)(tag + 1);
    size_t size = tag->size - sizeof(*tag);

    if (tag->type == TAG_CMDLINE) {
        size_t n = strnlen(data, size < sizeof(l->cmdline) ? size : sizeof(l->cmdline) - 1);
        memcpy(l->cmdline, data, n);
    } else if (tag->type == TAG_MODULE && tag->size >= sizeof(struct mb2_module)) {
        const struct mb2_module *m = (const struct mb2_module *)tag;
        if (l->archive_length == 0 && m->end > m->base) {
            l->archive = m->base;
            l->archive_length = m->end - m->base;
        }
    } else if (tag->type == TAG_MAP) {
        mb2_map_read(l, tag);
    } else if (tag->type == TAG_ACPI_NEW || (tag->type == TAG_ACPI_OLD && l->rsdp_length == 0)) {
        l->rsdp_length = size < sizeof(l->rsdp) ? (uint32_t)size : sizeof(l->rsdp);
        memcpy(l->rsdp, data, l->rsdp_length);
    }
}

static const char *mb2_read(struct loader *l, pa_t information, void *(*at)(pa_t))
{
    const char *info = at(information);
    uint32_t total = *(const uint32_t *)info;

    if (total < 16 || total > MB2_MOST) {
        return "the Multiboot2 information has an impossible length";
    }
    for (uint32_t offset = 8; total - offset >= sizeof(struct mb2_tag);) {
        const struct mb2_tag *tag = (const void *)(info + offset);
        if (tag->type == TAG_END) {
            break;
        }
        if (tag->size < sizeof(*tag) || tag->size > total - offset) {
            return "the Multiboot2 information is damaged";
        }
        mb2_tag_read(l, tag);
        offset += (tag->size + 7) & ~7u;
        if (offset > total) {
            break;
        }
    }
    return l->map.usable.count == 0 ? "the loader gives no memory map" : NULL;
}

const char *loader_read(struct loader *l, uint32_t protocol, pa_t information, void *(*at)(pa_t))
{
    memset(l, 0, sizeof(*l));
    return protocol == LOADER_PVH ? pvh_read(l, information, at) : mb2_read(l, information, at);
}
