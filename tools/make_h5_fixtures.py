#!/usr/bin/env python3
"""Writes tests/fixtures/h5/: small HDF5 files in every form the reader reads, and some it refuses.

Element i of an array is i / 2 (floats) or i % 100 (integers) unless the test says otherwise, so the
tests need no second file with the answers. Needs h5py and numpy; the files committed were made with
h5py 3.14 on HDF5 1.14.6. Run: tools/make_h5_fixtures.py [FOLDER]
"""
import ctypes
import os
import sys

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../tests/fixtures/h5")
NUMBERS = ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "|i1", "<i2", "<i4", "<i8", ">i2", ">i4", ">i8",
           "|u1", "<u2", "<u4", "<u8", ">u2", ">u4", ">u8"]
FILTERS = {
    "plain": {},
    "deflate": dict(compression="gzip"),
    "shuffled": dict(compression="gzip", shuffle=True),
    "checked": dict(compression="gzip", shuffle=True, fletcher32=True),
    "lzf": dict(compression="lzf", shuffle=True),
    "fletcher": dict(fletcher32=True),
}


def libhdf5():
    """The library that h5py has loaded, for the few settings that h5py does not offer."""
    for line in open("/proc/self/maps"):
        file = line.split()[-1]
        if os.path.basename(file).startswith(("libhdf5-", "libhdf5.")):
            return ctypes.CDLL(file)
    raise SystemExit("libhdf5 is not to be found in /proc/self/maps")


def path(name):
    return os.path.join(FOLDER, name + ".h5")


def values(shape, dtype="<f4"):
    n = int(np.prod(shape))
    dtype = np.dtype(dtype)
    data = np.arange(n) * 0.5 if dtype.kind == "f" else np.arange(n) % 100
    return data.reshape(shape).astype(dtype)


def low_level(f, name, htype, data, memory=None, compact=False, shape=None):
    """A dataset of a type or layout that h5py's own interface does not offer."""
    plist = h5p.create(h5p.DATASET_CREATE)
    if compact:
        plist.set_layout(h5d.COMPACT)
    d = h5d.create(f.id, name.encode(), htype, h5s.create_simple(shape or data.shape), dcpl=plist)
    d.write(h5s.ALL, h5s.ALL, data, mtype=memory)


def bfloat16():
    t = h5t.IEEE_F16LE.copy()
    t.set_fields(15, 7, 8, 0, 7)
    t.set_ebias(127)
    return t


def types(f):
    for dtype in NUMBERS:
        f.create_dataset("type/" + dtype.replace("<", "little_").replace(">", "big_").replace("|", ""),
                         data=values((3, 7), dtype))
    f["type/bool"] = np.arange(9) % 2 == 1
    f["type/scalar"] = np.float32(3.5)
    f["type/empty"] = np.zeros((0, 4), "<f4")
    f["type/null"] = h5py.Empty("<f4")
    f["type/complex"] = np.zeros(3, "<c8")
    f["type/fixed_text"] = np.array([b"one", b"three", b""])
    f["type/text"] = np.array(["one", "three"], dtype=h5py.string_dtype())
    f.create_dataset("type/enum", data=np.array([1, 2]), dtype=h5py.enum_dtype({"A": 1, "B": 2}, "<i4"))
    f.create_dataset("type/never", shape=(5, 6), dtype="<f4")
    f.create_dataset("type/filled", shape=(5, 6), dtype="<f4", fillvalue=2.5)
    low_level(f, "type/compact", h5t.IEEE_F32LE, values((4, 3)), compact=True)
    upper = (values((4, 3)).view("<u4") >> 16).astype("<u2")  # exact: few bits are set
    low_level(f, "type/bfloat16", bfloat16(), upper, memory=bfloat16())
    low_level(f, "type/opaque", h5t.py_create(np.dtype("V2")), upper.view("V2"))
    t = h5t.IEEE_F32LE.copy()
    t.commit(f.id, b"type/committed")
    low_level(f, "type/of_committed", t, values((4, 3)))


def attributes(f):
    g = f.create_group("attribute")
    g.attrs["text"] = "variable length, UTF-8: \u00e9"
    g.attrs["ascii"] = np.bytes_("fixed length")
    g.attrs["scalar_bytes"] = b"bytes"
    g.attrs["empty_text"] = ""
    g.attrs["long"] = "0123456789" * 1000
    g.attrs["list"] = [b"one", b"", b"three"]
    g.attrs["fixed_list"] = np.array([b"one", b"", b"three"])
    g.attrs["no_list"] = []
    g.attrs["int"] = np.int32(-7)
    g.attrs["big_int"] = np.array(-70000, ">i8")
    g.attrs["uint"] = np.uint16(65535)
    g.attrs["bool"] = np.True_
    g.attrs["float"] = np.float32(1.5)
    g.attrs["matrix"] = values((2, 3))
    space = h5t.C_S1.copy()
    space.set_size(8)
    space.set_strpad(h5t.STR_SPACEPAD)
    a = h5py.h5a.create(g.id, b"spaces", space, h5s.create(h5s.SCALAR))
    a.write(np.array(b"padded  ", "S8"), mtype=space)
    names = f.create_group("names")
    names.attrs["whole"] = [b"a", b"b"]
    for i in range(3):
        names.attrs["piece%d" % i] = np.array([b"p%d_%d" % (i, j) for j in range(i + 1)])
    several = f.create_group("several")
    for i in range(12):
        several.attrs["attribute_%d" % i] = np.int64(i * i)
    several.attrs["large"] = np.array([b"name_%d" % i for i in range(900)])


def groups(f):
    one = f.create_dataset("one", data=values((3,)))
    f.create_group("none")
    for name, n in [("few", 5), ("some", 12), ("many", 1500)]:
        g = f.create_group(name)
        for i in range(n):
            g["item_%d" % i] = one
    f["deep/er/still/leaf"] = values((2, 2))


def whole_file(name, **kw):
    with h5py.File(path(name), "w", **kw) as f:
        types(f)
        attributes(f)
        groups(f)


def chunked(name, **kw):
    with h5py.File(path(name), "w", **kw) as f:
        for filter_name, filters in FILTERS.items():
            g = f.create_group(filter_name)
            for what, shape, chunks, limit in [
                ("line", (50,), (7,), None),
                ("plane", (11, 13), (4, 5), None),
                ("cube", (5, 6, 7), (2, 6, 3), None),
                ("single", (6, 7), (6, 7), None),
                ("larger", (2, 3), (4, 5), (9, 9)),
                ("limited", (11, 13), (4, 5), (30, 27)),
                ("rows", (40, 3), (2, 2), (None, 4)),
                ("columns", (3, 40), (2, 2), (3, None)),
                ("middle", (3, 40, 5), (2, 3, 4), (3, None, 8)),
                ("both", (11, 13), (4, 5), (None, None)),
            ]:
                g.create_dataset(what, data=values(shape), chunks=chunks, maxshape=limit, **filters)
        for size, limit in [("limited", (60, 60)), ("columns", (30, None)), ("both", (None, None))]:
            for how, shape in [("shrunk", (9, 13)), ("grown", (23, 31))]:
                if shape[0] > 22 and limit[0] == 30:
                    shape = (22, 31)
                d = f.create_dataset("%s/%s" % (how, size), data=values((22, 17)), chunks=(5, 4),
                                     maxshape=limit, fillvalue=-1, compression="gzip")
                d.resize(shape)
        for size, limit in [("fixed", (3000,)), ("open", (None,))]:
            d = f.create_dataset("sparse/" + size, shape=(3000,), dtype="<i2", chunks=(2,),
                                 maxshape=limit, fillvalue=-1)
            for i in (0, 7, 1500, 2047, 2048, 2999):
                d[i] = i
        d = f.create_dataset("sparse/plane", shape=(400, 400), dtype="<i2", chunks=(7, 7),
                             maxshape=(None, None), fillvalue=-1)
        for i in (0, 7, 150, 399):
            d[i, 399 - i] = i
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((4, 5))
        plist.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        d = h5d.create(f.id, b"early", h5t.IEEE_F32LE, h5s.create_simple((11, 13), (15, 20)), dcpl=plist)
        d.write(h5s.ALL, h5s.ALL, values((11, 13)))
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((4, 5))
        plist.set_deflate(4)
        if kw:  # an option of new files only: chunks over the edge are not filtered
            libhdf5().H5Pset_chunk_opts(ctypes.c_int64(plist.id), 2)
        d = h5d.create(f.id, b"edges", h5t.IEEE_F32LE, h5s.create_simple((11, 13)), dcpl=plist)
        d.write(h5s.ALL, h5s.ALL, values((11, 13)))
        # Chunks whose filters were skipped, as writers do when nothing is gained.
        d = f.create_dataset("masked", shape=(16,), dtype="<f4", chunks=(8,), compression="gzip",
                             shuffle=True)
        d.id.write_direct_chunk((0,), values((16,))[:8].tobytes(), filter_mask=3)
        d[8:] = values((16,))[8:]


def paged(name):
    """Chunk indexes so long that they come in pages."""
    with h5py.File(path(name), "w", libver="latest") as f:
        f.create_dataset("fixed", data=values((1100,), "|u1"), chunks=(1,))
        d = f.create_dataset("fixed_sparse", shape=(5000,), dtype="|u1", chunks=(1,), fillvalue=9)
        d[3000:3003] = 1
        d = f.create_dataset("open", shape=(140000,), dtype="|u1", chunks=(1,), maxshape=(None,),
                             fillvalue=9)
        for i in (0, 3, 4, 70, 131059, 131060, 133107, 139999):
            d[i] = 1
        d = f.create_dataset("deep", data=values((45, 45), "|u1"), chunks=(1, 1), maxshape=(None, None))


def small(name, **kw):
    """A little of everything, small enough to be read again with every one of its bytes changed."""
    with h5py.File(path(name), "w", **kw) as f:
        f.attrs["text"] = "text"
        f.attrs["names"] = [b"a", b"bc"]
        f.attrs["pieces0"] = np.array([b"d", b"ef"])
        f["g/data"] = values((3, 2))
        f["g/half"] = values((3,), ">f2")
        f["g/bool"] = np.array([True, False])
        for i in range(10):
            f["links/%d" % i] = f["g/data"]
        d = f["g/data"]
        for i in range(10):
            d.attrs["a%d" % i] = i
        limits = [None, (9, 9), (None, 7), (None, None)]
        for i, limit in enumerate(limits):
            f.create_dataset("c/%d" % i, data=values((7, 5)), chunks=(7, 5) if i == 0 else (3, 4),
                             maxshape=limit, compression="gzip", shuffle=True, fletcher32=i > 1)
        f.create_dataset("c/lzf", data=values((6,)), chunks=(5,), compression="lzf")


def links(name, **kw):
    with h5py.File(path(name), "w", **kw) as f:
        f["real/data"] = values((3,))
        f["soft"] = h5py.SoftLink("/real")
        f["real/soft"] = h5py.SoftLink("/real/data")
        f["external"] = h5py.ExternalLink("elsewhere.h5", "/data")
        f["second"] = f["real"]


def refused(folder_files):
    with h5py.File(path("external_storage"), "w") as f:
        f.create_dataset("data", shape=(4,), dtype="<f4", external=[("elsewhere.bin", 0, 16)])
    layout = h5py.VirtualLayout(shape=(4,), dtype="<f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "data", shape=(4,))
    with h5py.File(path("virtual"), "w", libver="latest") as f:
        f.create_virtual_dataset("data", layout)
    with h5py.File(path("bombs"), "w") as f:
        f.create_dataset("unwritten", shape=(1 << 31,), dtype="<f4")
        f.create_dataset("huge", shape=(1 << 50, 1 << 10), dtype="<f4", chunks=(1, 1))
        f.create_dataset("fair", shape=(1 << 22,), dtype="<f4")
        d = f.create_dataset("packed", shape=(1 << 24,), dtype="<f4", chunks=(1 << 24,),
                             compression="gzip")
        d.id.write_direct_chunk((0,), b"x" * 100)
    with h5py.File(path("filters"), "w") as f:
        f.create_dataset("scaled", data=values((20,), "<i4"), chunks=(5,), scaleoffset=0)
    with h5py.File(path("circle"), "w") as f:
        f["a/b/c"] = values((2,))
        f["a/b/up"] = f["a"]
    with h5py.File(path("latest_circle"), "w", libver="latest") as f:
        f["a/b/c"] = values((2,))
        f["a/b/up"] = f["a"]
    with h5py.File(path("too_often"), "w") as f:  # 2^40 paths in a small file
        below = f.create_group("leaf")
        for i in range(40):
            g = f.create_group("level_%d" % i)
            g["left"] = g["right"] = below
            below = g
        f["top"] = below


def unusual(name, configure):
    plist = h5p.create(h5p.FILE_CREATE)
    configure(plist)
    fid = h5f.create(path(name).encode(), h5f.ACC_TRUNC, fcpl=plist)
    with h5py.File(fid) as f:
        f.attrs["text"] = "of an unusual file"
        f["a/data"] = values((5, 4))
        f.create_dataset("a/chunked", data=values((9, 9)), chunks=(4, 4), compression="gzip")
        for i in range(70):
            f["group/item_%d" % i] = f["a/data"]


def main():
    os.makedirs(FOLDER, exist_ok=True)
    whole_file("earliest")
    whole_file("latest", libver="latest")
    whole_file("v108", libver=("v108", "v108"))
    whole_file("tracked", libver="latest", track_order=True)
    chunked("chunked")
    chunked("chunked_latest", libver="latest")
    paged("paged")
    small("small")
    small("small_latest", libver="latest")
    links("links")
    links("links_latest", libver="latest")
    refused(FOLDER)
    unusual("narrow", lambda p: p.set_sizes(4, 4))
    unusual("narrowest", lambda p: p.set_sizes(2, 2))
    c = libhdf5()
    handle = lambda p: ctypes.c_int64(p.id)
    unusual("super1", lambda p: c.H5Pset_istore_k(handle(p), 3))
    unusual("symbols", lambda p: c.H5Pset_sym_k(handle(p), 2, 1))

    def share(p):
        c.H5Pset_shared_mesg_nindexes(handle(p), 1)
        c.H5Pset_shared_mesg_index(handle(p), 0, 0x1F, 8)

    unusual("shared", share)
    unusual("user_block", lambda p: p.set_userblock(1024))


if __name__ == "__main__":
    main()
