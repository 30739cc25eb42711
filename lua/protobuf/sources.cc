#include "lua/protobuf/sources.h"

#include <cstdlib>
#include <fstream>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <memory>
#include <sys/stat.h>

namespace codec
{

using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::ZeroCopyInputStream;

static bool is_file(const std::string &path)
{
    struct stat s;
    return stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode);
}

static std::string join(const std::string &folder, const std::string &name)
{
    return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}

/* The path without links and dots, or as it is. */
static std::string real_path(const std::string &path)
{
    std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
    return real ? real.get() : path;
}

/* The path of the file of that name; empty when no folder has it. */
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

/* Whether a file may go by the name: it is neither absolute nor does it lead out of a folder. */
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

ZeroCopyInputStream *sources::Open(const std::string &name)
{
    auto text = given.find(name);
    if (text != given.end())
        return new ArrayInputStream(text->second.data(), (int)text->second.size());
    std::string path = find(name);
    problem = "there is no such file" + searched();
    return path.empty() ? nullptr : read(name, path);
}

ZeroCopyInputStream *sources::read(const std::string &name, const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::string text;
    char piece[4096];
    path_by_name[name] = path;
    paths.push_back(path);
    if (paths.size() > max_files)
        problem = "more than " + std::to_string(max_files) + " files";
    else if (!file)
        problem = "cannot be read";
    else
        problem.clear();
    while (problem.empty() && (file.read(piece, sizeof piece) || file.gcount() > 0)) {
        text.append(piece, (size_t)file.gcount());
        if (text.size() > max_bytes - bytes)
            problem = "more than " + std::to_string(max_bytes) + " bytes in all files";
    }
    if (!problem.empty())
        return nullptr;
    bytes += text.size();
    texts.push_back(std::move(text));
    return new ArrayInputStream(texts.back().data(), (int)texts.back().size());
}

std::string sources::GetLastErrorMessage()
{
    return problem;
}

void sources::AddError(const std::string &name, int line, int column, const std::string &message)
{
    auto found = path_by_name.find(name);
    errors += errors.empty() ? "" : "\n";
    errors += found == path_by_name.end() ? name : found->second;
    if (line >= 0)
        errors += ":" + std::to_string(line + 1) + ":" + std::to_string(column + 1);
    errors += ": " + message;
}

} // namespace codec
