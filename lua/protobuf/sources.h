/*
 * The files of a schema: found in folders, read within bounds, and remembered. Well-known types
 * that are in no folder come from the library, and those that Google's interfaces share from us.
 */
#ifndef LUA_PROTOBUF_SOURCES_H
#define LUA_PROTOBUF_SOURCES_H

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <google/protobuf/compiler/importer.h>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace codec
{

/* A file at the time when it was read. */
struct origin {
    std::string path;
    uint64_t device, inode;
    size_t bytes;
    struct timespec changed;
    std::string digest; /* identifies its text */
};

class sources : public google::protobuf::compiler::SourceTree,
                public google::protobuf::compiler::MultiFileErrorCollector
{
  public:
    size_t max_files = 1000, max_bytes = 16 << 20; /* of all files that are read */
    std::vector<std::string> folders;              /* searched in this order */
    std::vector<std::string> paths;                /* of the files read, in the order read */
    std::set<std::string> places; /* where files were looked for, including those found */
    std::string errors;           /* lines: "path:line:column: message" */
    std::unordered_map<std::string, origin> origins; /* of the files read, by name */

    /* The name that imports use for the file that is given by its name or path. Adds the path's
     * folder if the file is in none of the others. */
    std::string name_of(const std::string &file);

    /* Takes the text of a file that need not be in a folder. */
    void give(const std::string &name, const std::string &text);

    /* Whether a folder has the file. */
    bool has(const std::string &name);
    /* The folders, for error messages: " in a, b". */
    std::string searched() const;
    /* The text of a file, which is read at the first call; NULL if that fails. */
    const std::string *text_of(const std::string &name);
    /* Notes a file that lies within another one, which was read. False if there are too many. */
    bool add_part(const std::string &whole, const std::string &name);
    /* Accepts a file that was read for another schema as if it were read here. False if there is
     * another file of that name, or if the file has changed. */
    bool take(const std::string &name, const origin &known);
    /* Forgets what was read, except the places. */
    void start_again();
    /* Frees the texts; streams on them must be closed. */
    void forget_texts();

    /* NULL if there is none. The stream belongs to the caller, its bytes do not. */
    google::protobuf::io::ZeroCopyInputStream *Open(const std::string &name) override;
    std::string GetLastErrorMessage() override;

    /* Lines and columns count from 0; line -1 is the whole file. */
    void AddError(
        const std::string &name, int line, int column, const std::string &message) override;
    /* Whether further errors would be left out. */
    bool has_enough_errors() const;

  private:
    std::unordered_map<std::string, std::string> texts; /* by name */
    std::unordered_map<std::string, std::string> given; /* texts that need no folder */
    std::unordered_map<std::string, std::string> path_by_name;
    size_t bytes = 0, parts = 0;
    std::string problem; /* why the last one could not be opened */

    std::string find(const std::string &name);
    bool count(const std::string &name, const std::string &path, size_t size);
    std::string read(const std::string &path);
};

} // namespace codec

#endif
