/*
 * The .proto files of a schema: found in folders, read within bounds, remembered. The well-known
 * types that no folder has come from the library.
 */
#ifndef LUA_PROTOBUF_SOURCES_H
#define LUA_PROTOBUF_SOURCES_H

#include <cstddef>
#include <deque>
#include <google/protobuf/compiler/importer.h>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace codec
{

class sources : public google::protobuf::compiler::SourceTree,
                public google::protobuf::compiler::MultiFileErrorCollector
{
  public:
    size_t max_files = 1000, max_bytes = 16 << 20; /* of all files that are read */
    std::vector<std::string> folders;              /* searched in that order */
    std::vector<std::string> paths;                /* of the files read, in the order read */
    std::set<std::string> places; /* where files were looked for, those found included */
    std::string errors;           /* lines: "path:line:column: message" */

    /* The name under which imports see the file that is given by such a name or by its path. Adds
     * the path's folder where it is in none of the others. */
    std::string name_of(const std::string &file);

    /* Takes the text of a file that needs not be in a folder. */
    void give(const std::string &name, const std::string &text);

    /* Whether a folder has the file. */
    bool has(const std::string &name);
    /* The folders, for a message: " in a, b". */
    std::string searched() const;
    /* Frees the texts read; streams opened must be closed. */
    void forget_texts();

    /* NULL when there is none; the stream is the caller's, its bytes are ours. */
    google::protobuf::io::ZeroCopyInputStream *Open(const std::string &name) override;
    std::string GetLastErrorMessage() override;

    /* Lines and columns count from 0; a line of -1 is the whole file. */
    void AddError(
        const std::string &name, int line, int column, const std::string &message) override;

  private:
    std::deque<std::string> texts;
    std::unordered_map<std::string, std::string> path_by_name;
    size_t bytes = 0;
    std::string problem; /* why the last one could not be opened */

    std::unordered_map<std::string, std::string> given; /* texts by name */

    std::string find(const std::string &name);
    google::protobuf::io::ZeroCopyInputStream *read(
        const std::string &name, const std::string &path);
};

} // namespace codec

#endif
