#include "lua/protobuf/sources.h"

#include "lua/protobuf/common_protos.h"

#include <cstdlib>
#include <fstream>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <memory>
#include <sys/stat.h>

namespace codec
{

using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::ZeroCopyInputStream;

/* Bytes of errors, after which none is added. */
static const size_t errors_max = 64 << 10;

static bool is_file(const std::string &path)
{
    struct stat s;
    return stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode);
}

static std::string join(const std::string &folder, const std::string &name)
{
    return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}

/* The path without links and dots; unchanged if it cannot be resolved. */
static std::string real_path(const std::string &path)
{
    std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
    return real ? real.get() : path;
}

/* The path of the file of that name; empty if no folder has it. */
std::string sources::find(const std::string &name)
{
    for (const std::string &folder : folders) {
        std::string path = join(folder, name);
        places.insert(path);
        if (is_file(path))
            return path;
    }
    return {};
}

void sources::give(const std::string &name, const std::string &text)
{
    given[name] = text;
}

bool sources::has(const std::string &name)
{
    return !find(name).empty();
}

std::string sources::searched() const
{
    std::string list;
    for (const std::string &folder : folders)
        list += (list.empty() ? " in " : ", ") + (folder.empty() ? "." : folder);
    return list;
}

void sources::forget_texts()
{
    texts.clear();
    given.clear();
}

void sources::start_again()
{
    texts.clear();
    paths.clear();
    origins.clear();
    path_by_name.clear();
    errors.clear();
    bytes = parts = 0;
}

/* Whether a file may have the name: a relative one that leads out of no folder. */
static bool is_plain(const std::string &name)
{
    std::string path = "/" + name + "/";
    return path.find("//") == std::string::npos && path.find("/./") == std::string::npos &&
           path.find("/../") == std::string::npos;
}

std::string sources::name_of(const std::string &file)
{
    if (is_plain(file) && has(file))
        return file;
    std::string path = has(file) ? find(file) : file;
    places.insert(path);
    if (!is_file(path))
        return file;
    std::string real = real_path(path);
    for (const std::string &folder : folders) {
        std::string above = real_path(folder) + "/";
        if (real.compare(0, above.size(), above) == 0)
            return real.substr(above.size());
    }
    size_t slash = path.rfind('/') + 1;
    folders.insert(folders.begin(), path.substr(0, slash));
    return path.substr(slash);
}

/* The file in its present state; its digest is empty. */
static bool look_at(const std::string &path, origin *out)
{
    struct stat s;
    if (stat(path.c_str(), &s) != 0)
        return false;
    *out = {path, s.st_dev, s.st_ino, (size_t)s.st_size, s.st_mtim, {}};
    return true;
}

static bool is_same(const origin &a, const origin &b)
{
    return a.path == b.path && a.device == b.device && a.inode == b.inode && a.bytes == b.bytes &&
           a.changed.tv_sec == b.changed.tv_sec && a.changed.tv_nsec == b.changed.tv_nsec;
}

/* Counts a file towards the bounds. */
bool sources::count(const std::string &name, const std::string &path, size_t size)
{
    path_by_name[name] = path;
    paths.push_back(path);
    if (paths.size() + parts > max_files)
        problem = "more than " + std::to_string(max_files) + " files";
    else if (size > max_bytes - bytes)
        problem = "more than " + std::to_string(max_bytes) + " bytes in all files";
    else
        bytes += size;
    return problem.empty();
}

/* The text of a file, or a problem. */
std::string sources::read(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::string text;
    char piece[4096];
    if (!file)
        problem = "cannot be read";
    while (file && (file.read(piece, sizeof piece) || file.gcount() > 0)) {
        text.append(piece, (size_t)file.gcount());
        if (text.size() > max_bytes - bytes)
            break; /* reported when it is counted */
    }
    return text;
}

/* FNV-1a, twice: two different texts on one server must not have the same digest. */
static std::string digest_of(const std::string &text)
{
    uint64_t a = 0xcbf29ce484222325, b = a ^ 0x9e3779b97f4a7c15;
    for (unsigned char c : text) {
        a = (a ^ c) * 0x100000001b3;
        b = (b ^ c) * 0x10000000233;
    }
    return std::to_string(text.size()) + "-" + std::to_string(a) + "-" + std::to_string(b);
}

const std::string *sources::text_of(const std::string &name)
{
    auto here = given.find(name);
    if (here != given.end())
        return &here->second;
    here = texts.find(name);
    if (here != texts.end())
        return &here->second;
    std::string path = find(name);
    const char *common = path.empty() ? common_proto(name) : nullptr;
    if (common)
        return &(texts[name] = common);
    origin o = {};
    problem = path.empty() ? "there is no such file" + searched() : "";
    if (path.empty())
        return nullptr;
    bool seen = look_at(path, &o);
    std::string text = read(path);
    if (!count(name, path, text.size()))
        return nullptr;
    o.digest = digest_of(text);
    if (seen && o.bytes == text.size())
        origins[name] = o;
    return &(texts[name] = std::move(text));
}

bool sources::add_part(const std::string &whole, const std::string &name)
{
    auto path = path_by_name.find(whole);
    path_by_name[name] = (path == path_by_name.end() ? whole : path->second) + ": " + name;
    return paths.size() + ++parts <= max_files;
}

bool sources::take(const std::string &name, const origin &known)
{
    origin now = {};
    problem.clear();
    if (!look_at(find(name), &now) || !is_same(now, known) || !count(name, now.path, now.bytes))
        return false;
    origins[name] = known;
    return true;
}

ZeroCopyInputStream *sources::Open(const std::string &name)
{
    const std::string *text = text_of(name);
    return text ? new ArrayInputStream(text->data(), (int)text->size()) : nullptr;
}

std::string sources::GetLastErrorMessage()
{
    return problem;
}

bool sources::has_enough_errors() const
{
    return errors.size() > errors_max;
}

void sources::AddError(const std::string &name, int line, int column, const std::string &message)
{
    if (has_enough_errors())
        return;
    auto found = path_by_name.find(name);
    errors += errors.empty() ? "" : "\n";
    errors += found == path_by_name.end() ? name : found->second;
    if (line >= 0)
        errors += ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
    errors += ": " + message;
}

} // namespace codec
