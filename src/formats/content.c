/* A table of first bytes, and a look at text. See content.h. */
#include "formats/content.h"

enum { LOOK = 4096 };

/* In the order in which they are tried. */
static const struct {
    size_t offset, length;
    const char *magic, *name;
} kinds[] = {
    {0, 8, "\x89PNG\r\n\x1a\n", "a PNG image"},
    {0, 3, "\xFF\xD8\xFF", "a JPEG image"},
    {0, 4, "GIF8", "a GIF image"},
    {8, 4, "WEBP", "a WebP image"},
    {0, 4, "II*\0", "a TIFF image"},
    {0, 4, "MM\0*", "a TIFF image"},
    {8, 4, "WAVE", "a WAV sound"},
    {0, 8, "\x89HDF\r\n\x1a\n", "an HDF5 file"},
    {0, 6, "\x93NUMPY", "a NumPy array file"},
    {0, 4, "PK\3\4", "a zip archive"},
    {0, 4, "PK\5\6", "an empty zip archive"},
    {0, 2, "\x1F\x8B", "gzip-compressed"},
    {0, 3, "BZh", "bzip2-compressed"},
    {0, 6,
     "\xFD"
     "7zXZ\0",
     "xz-compressed"},
    {0, 4, "\x28\xB5\x2F\xFD", "zstd-compressed"},
    {0, 6, "7z\xBC\xAF\x27\x1C", "a 7z archive"},
    {257, 5, "ustar", "a tar archive"},
    {4, 4, "TFL3", "a TensorFlow Lite model"},
    {0, 4, "GGUF", "a GGUF model"},
    {0, 4, "PAR1", "a Parquet file"},
    {0, 6, "ARROW1", "an Arrow file"},
    {0, 10, "MATLAB 5.0", "a MATLAB file"},
    {0, 6, "SQLite", "an SQLite database"},
    {0, 5, "%PDF-", "a PDF document"},
    {0, 4,
     "\x7F"
     "ELF",
     "a program"},
    {0, 2, "\x80\2", "a Python pickle, which is never executed here"},
    {0, 2, "\x80\3", "a Python pickle, which is never executed here"},
    {0, 2, "\x80\4", "a Python pickle, which is never executed here"},
    {0, 2, "\x80\5", "a Python pickle, which is never executed here"},
    {0, 35, "version https://git-lfs.github.com/",
     "a Git LFS pointer, not the file itself (run: git lfs pull)"},
};

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool krti_content_is_text(const krti_bytes *bytes)
{
    const size_t n = bytes->size < LOOK ? bytes->size : LOOK;

    for (size_t i = 0; i < n; i++)
        if ((bytes->data[i] < 0x20 && !is_blank(bytes->data[i])) || bytes->data[i] == 0x7F)
            return false;
    return n > 0;
}

/* ASCII letters of the text at p against lower-case `word`. */
static bool begins_with(const unsigned char *p, size_t left, const char *word)
{
    const size_t n = strlen(word);

    if (left < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]) != word[i])
            return false;
    return true;
}

static const char *text_name(const unsigned char *p, size_t left)
{
    while (left > 0 && is_blank(*p)) {
        p++;
        left--;
    }
    if (begins_with(p, left, "<!doctype html") || begins_with(p, left, "<html") ||
        begins_with(p, left, "<head"))
        return "an HTML page, perhaps of a failed download";
    if (begins_with(p, left, "<?xml"))
        return "an XML file";
    if (left > 0 && (*p == '{' || *p == '['))
        return "JSON text";
    return "text";
}

const char *krti_content_name(const krti_bytes *bytes)
{
    if (bytes->size == 0)
        return "empty";
    for (size_t i = 0; i < KRTI_COUNT(kinds); i++)
        if (bytes->size >= kinds[i].offset + kinds[i].length &&
            memcmp(bytes->data + kinds[i].offset, kinds[i].magic, kinds[i].length) == 0)
            return kinds[i].name;
    if (bytes->size > 3 && bytes->data[0] == 8 && bytes->data[1] < 0x20 && bytes->data[2] == 0x12)
        return "an ONNX model"; /* ir_version, then producer_name */
    if (krti_content_is_text(bytes))
        return text_name(bytes->data, bytes->size);
    return "of no known kind";
}
