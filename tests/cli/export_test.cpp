#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "evidence/anchor_file.h"
#include "evidence/chain.h"
#include "platform/ed25519.h"
#include "record/audit_file.h"
#include "record/run_records.h"
#include "support/child_process.h"
#include "support/enrolled_run.h"
#include "support/forger.h"
#include "support/places.h"
#include "support/temporary_directory.h"
#include "support/test_key.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;

/// The real binary makes a bundle; the bundle is checked by the script in it, which knows nothing
/// of the binary.
class ExportTest : public ::testing::Test {
 protected:
  ExportTest() {
    create_audit_database(path("a.db"));
    Database database = open_audit_for_writing(path("a.db"));
    // Another run before and one after, so that the chain has more than the run's rows.
    work_on(database, enrol(database, {"before"}), "");
    RunDescription description = test_description();
    description.name = "=cmd()|' /C calc'!A0";
    std::vector<std::string> disks = numbered_disks(2'500);
    disks.push_back("disk-last");
    const RunRecord run = enrol(database, disks, description);
    run_ = run.id.value;
    work_on(database, run, "it's a \"message\", with \xc3\xbc and | bars\\");
    work_on(database, enrol(database, {"after"}), "");
    std::ofstream(path("key.pem")) << k_test_signing_key;
    ::chmod(path("key.pem").c_str(), 0600);
    std::ofstream(path("public.pem")) << SigningKey::read(path("key.pem")).public_key();
  }

  /// Attempts for the first items of the run, with all that can be on record about them.
  static void work_on(Database& database, const RunRecord& run, const std::string& message) {
    const InvocationId invocation = begin_test_invocation(database, run.id);
    record_decision(database, run.id, invocation,
                    {DecisionKind::approve, std::nullopt, "yes_flag", ""}, k_test_time);
    const std::string first = std::to_string(run.first_item.value);
    const std::string by = std::to_string(invocation.value);
    Transaction transaction(database);
    database.execute(
        "INSERT INTO disk_read (invocation_id, purpose, disk_count, result, sent_utc_ms,"
        " finished_utc_ms) VALUES (" +
        by +
        ", 'preflight', 1, 'complete', 1, 2);"
        "INSERT INTO observation (read_id, item_id, status) SELECT max(read_id), " +
        first +
        ", 'AVAILABLE' FROM disk_read;"
        "INSERT INTO attempt (item_id, invocation_id, attempt_number, stage, intent_utc_ms) VALUES"
        " (" +
        first + "," + by + ", 1, 1, 3);");
    Statement outcome = database.prepare(
        "INSERT INTO outcome (attempt_id, outcome, scope, message, finished_utc_ms)"
        " SELECT max(attempt_id), 'unknown', 'disk', ?1, 4 FROM attempt");
    outcome.bind(1, message).run();
    database.execute(
        "INSERT INTO verdict (attempt_id, invocation_id, settled, reason, detail, decided_utc_ms)"
        " SELECT max(attempt_id), " +
        by + ", 'executed', 'marked', 'seen', 5 FROM attempt");
    transaction.commit();
    end_invocation(database, invocation, EndReason::finished, "", 0, k_test_time);
  }

  std::string path(const std::string& name) const { return (directory_.path() / name).string(); }
  ChildResult run(std::vector<std::string> words) const {
    ChildProcess child(std::move(words), {{"PATH", "/usr/bin:/bin"}, {"HOME", path("")}},
                       directory_.path());
    return child.wait();
  }
  ChildResult export_to(const std::string& target, std::vector<std::string> flags = {}) const {
    std::vector<std::string> words{built_program(), "audit",      "export", std::to_string(run_),
                                   "--db",          path("a.db"), "-o",     path(target)};
    words.insert(words.end(), flags.begin(), flags.end());
    return run(std::move(words));
  }
  ChildResult check(const std::string& bundle, const std::string& key = "") const {
    std::vector<std::string> words{"/bin/sh", path(bundle) + "/check.sh"};
    if (!key.empty()) words.push_back(path(key));
    return run(std::move(words));
  }
  /// As somebody would who wants the bundle to say something else, and knows how it is made.
  void write_manifest_anew(const std::string& bundle) const {
    const ChildResult made =
        run({"/bin/sh", "-c",
             "cd '" + path(bundle) +
                 "' && rm manifest.* && sha256sum * >../m && mv ../m manifest.sha256"});
    ASSERT_EQ(made.exit_code, 0) << made.error;
  }
  void change_evidence(const std::string& bundle, const std::string& sql) const {
    const ChildResult done = run({"/usr/bin/sqlite3", path(bundle) + "/evidence.db", sql});
    ASSERT_EQ(done.exit_code, 0) << done.error;
  }
  void copy(const std::string& from, const std::string& to) const {
    std::filesystem::remove_all(path(to));
    std::filesystem::copy(path(from), path(to), std::filesystem::copy_options::recursive);
  }
  static std::string content(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
  }

  TemporaryDirectory directory_;
  std::int64_t run_ = 0;
};

TEST_F(ExportTest, ABundleIsCheckedWithoutThisProgram) {
  const ChildResult made = export_to("b", {"--key", path("key.pem")});
  ASSERT_EQ(made.exit_code, 0) << made.error;
  EXPECT_EQ(made.error, "");
  const ChildResult checked = check("b", "public.pem");
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.error;
  EXPECT_THAT(checked.out, HasSubstr("VERIFIED\n"));
  EXPECT_THAT(checked.out, HasSubstr("rows       13 entries fit, and there are no others"));
  EXPECT_THAT(checked.out, HasSubstr("list       2501 disks"));
  EXPECT_THAT(checked.out, HasSubstr("hold the last block and its hash against"));
  EXPECT_THAT(content(path("b/attempts.csv")), HasSubstr("'=cmd()"));
  struct stat status {};
  ASSERT_EQ(::stat(path("b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(ExportTest, AFlippedByteInAnyFileIsRefused) {
  ASSERT_EQ(export_to("b", {"--key", path("key.pem")}).exit_code, 0);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path("b"))) {
    const std::string name = entry.path().filename().string();
    // A changed script could say anything; the manifest shows that it was changed.
    if (name == "check.sh") continue;
    copy("b", "c");
    std::string bytes = content(path("c/" + name));
    ++files;
    if (bytes.empty()) {
      bytes = "x";
    } else {
      bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    }
    std::ofstream(path("c/" + name), std::ios::binary) << bytes;
    const ChildResult checked = check("c", "public.pem");
    EXPECT_NE(checked.exit_code, 0) << name;
    EXPECT_THAT(checked.error, HasSubstr("NOT VERIFIED: ")) << name;
  }
  EXPECT_EQ(files, 23);
}

TEST_F(ExportTest, RowsThatWereChangedBeforeTheManifestWasMadeAnewAreFound) {
  ASSERT_EQ(export_to("b").exit_code, 0);
  const std::map<std::string, std::string> changes{
      {"UPDATE outcome SET outcome = 'accepted'", "rows that the chain has not"},
      {"UPDATE invocation SET user = 'somebody'", "rows that the chain has not"},
      {"UPDATE verdict SET detail = NULL", "rows that the chain has not"},
      {"UPDATE item SET source_line = 7 WHERE disk_id = 'disk-1700'",
       "rows that the chain has not"},
      {"DELETE FROM item WHERE disk_id = 'disk-last'", "rows that the chain has not"},
      {"INSERT INTO decision SELECT 99, run_id, invocation_id, item_id, kind, reason, detail,"
       " observation_id, 1 FROM decision",
       "rows that the chain has not"},
      {"UPDATE chain SET entries = CAST(entries || zeroblob(41) AS BLOB) WHERE block_id ="
       " (SELECT min(block_id) + 1 FROM chain)",
       "a block does not hash"},
      {"UPDATE before SET hash = zeroblob(32)", "a block does not hash"},
      {"DELETE FROM chain WHERE block_id = (SELECT min(block_id) + 1 FROM chain)", "the chain: "},
  };
  for (const auto& [sql, finding] : changes) {
    copy("b", "c");
    change_evidence("c", sql);
    write_manifest_anew("c");
    const ChildResult checked = check("c");
    EXPECT_EQ(checked.exit_code, 1) << sql;
    EXPECT_THAT(checked.error, HasSubstr(finding)) << sql;
  }
  // A list with other disks, digest and all.
  copy("b", "c");
  std::ofstream(path("c/list.txt"), std::ios::app) << "one-more\n";
  write_manifest_anew("c");
  EXPECT_THAT(check("c").error, HasSubstr("list.txt is another list"));
  // Nothing but the manifest made anew: what was signed is not any more.
  ASSERT_EQ(export_to("signed", {"--key", path("key.pem")}).exit_code, 0);
  write_manifest_anew("signed");
  EXPECT_THAT(check("signed", "public.pem").error, HasSubstr("the manifest is not signed"));
}

/// What somebody makes who cannot forge the chain, but can put whatever they like into the bundle.
TEST_F(ExportTest, ABundleThatLiesBesideItsRowsIsFound) {
  ASSERT_EQ(export_to("b").exit_code, 0);
  const std::map<std::string, std::string> changes{
      {"DROP VIEW item_state; CREATE VIEW item_state AS SELECT 1 AS run_id, item_id, disk_id,"
       " source_line, 'skipped' AS state FROM item",
       "tables or views of evidence.db are not"},
      {"CREATE TABLE mine (a)", "tables or views of evidence.db are not"},
      {"CREATE TRIGGER mine AFTER INSERT ON run BEGIN SELECT 1; END",
       "tables or views of evidence.db are not"},
      {"ALTER TABLE outcome ADD COLUMN lie TEXT GENERATED ALWAYS AS ('rejected') VIRTUAL",
       "tables or views of evidence.db are not"},
      {"ALTER TABLE outcome RENAME COLUMN outcome TO other",
       "tables or views of evidence.db are not"},
      {"UPDATE item SET disk_id = disk_id || char(0) || 'x' WHERE disk_id = 'disk-1700'",
       "a text in item has a NUL byte"},
      {"UPDATE outcome SET message = message || char(0) || 'x'",
       "a text in outcome has a NUL byte"},
      {"DELETE FROM outcome", "rows of this run were left out, or have another entry: 05-"},
      {"DELETE FROM verdict", "rows of this run were left out, or have another entry: 08-"},
      {"DELETE FROM invocation_end", "rows of this run were left out, or have another entry: 03-"},
      {"DELETE FROM attempt", "rows of evidence.db refer to others that are not there"},
      {"INSERT INTO run SELECT 7, name, goal, endpoint, sandbox, list_source, list_format,"
       " list_sha256, settings_json, random_seed, 9000, item_count, duplicate_count,"
       " created_utc_ms FROM run",
       "evidence.db has not one run"},
      {"INSERT INTO archived_release VALUES ('disk-1', 1, 1, 1)",
       "evidence.db has records of archives"},
      {"DELETE FROM disk_item", "disk_item is not what item says"},
      {"INSERT INTO duplicate_line VALUES (2, 7, 'disk-1')", "rows that the chain has not"},
  };
  for (const auto& [sql, finding] : changes) {
    copy("b", "c");
    change_evidence("c", sql);
    write_manifest_anew("c");
    const ChildResult checked = check("c");
    EXPECT_EQ(checked.exit_code, 1) << sql << checked.out;
    EXPECT_THAT(checked.error, HasSubstr(finding)) << sql;
  }
  copy("b", "c");
  std::ofstream(path("c/attempts.ndjson"), std::ios::app) << "{}\n";
  write_manifest_anew("c");
  EXPECT_THAT(check("c").error, HasSubstr("attempts.ndjson is not what evidence.db says"));
}

/// Who can write the database can make a chain in which a row has two entries, and show the row
/// that they like better.
TEST_F(ExportTest, TwoEntriesForOneRowAreRefusedWhateverTheyAreAbout) {
  ASSERT_EQ(export_to("b").exit_code, 0);
  for (const Kind& each : k_kinds) {
    const EvidenceKind kind = each.kind;
    if (each.entered != Entered::by_row && kind != EvidenceKind::items) continue;
    copy("b", "c");
    {
      Forger forger(path("c/evidence.db"));
      std::string entry =
          forger.entry(kind, forger.number("SELECT min(" + std::string(key_of(each)) + ") FROM " +
                                           std::string(each.table)));
      // Once the same digest, once another.
      if (static_cast<int>(kind) % 2 == 0) entry.back() = static_cast<char>(entry.back() ^ 1);
      forger.append_block(entry);
    }
    write_manifest_anew("c");
    const ChildResult checked = check("c");
    EXPECT_EQ(checked.exit_code, 1) << static_cast<int>(kind) << checked.out;
    EXPECT_THAT(checked.error, HasSubstr("have another entry: 0")) << static_cast<int>(kind);
  }
  // Items from another place on than where a thousand begins.
  const std::vector<std::pair<int, std::string>> others{{10, "have another entry: 0A-"},
                                                        {255, "entries of an unknown kind: FF-"},
                                                        {0, "entries of an unknown kind: 00-"}};
  for (const auto& [kind, finding] : others) {
    copy("b", "c");
    {
      Forger forger(path("c/evidence.db"));
      std::string entry;
      append_entry(entry, {static_cast<EvidenceKind>(kind),
                           forger.number("SELECT first_item_id + 7 FROM run"),
                           {}});
      forger.append_block(entry);
    }
    write_manifest_anew("c");
    EXPECT_THAT(check("c").error, HasSubstr(finding));
  }
}

TEST_F(ExportTest, ARowWithTheHighestKeyIsCheckedInTheSameTime) {
  ASSERT_EQ(export_to("b").exit_code, 0);
  {
    Forger forger(path("b/evidence.db"));
    forger.sql(
        "INSERT INTO decision SELECT 9223372036854775807, run_id, invocation_id, item_id,"
        " kind, reason, detail, observation_id, 1 FROM decision");
    forger.append_block(forger.entry(EvidenceKind::decision, 9223372036854775807));
  }
  write_manifest_anew("b");
  // The readable files do not have it.
  EXPECT_THAT(check("b").error, HasSubstr("decisions.ndjson is not what evidence.db says"));
}

TEST_F(ExportTest, RowsOfAnotherRunAreRefused) {
  ASSERT_EQ(export_to("b").exit_code, 0);
  // True rows with their true entries, so that they look like this run's.
  const std::string other = "(SELECT attempt_id FROM main_file.attempt WHERE item_id = 1)";
  change_evidence("b", "ATTACH '" + path("a.db") +
                           "' AS main_file; INSERT INTO main.attempt SELECT * FROM"
                           " main_file.attempt WHERE attempt_id IN " +
                           other);
  write_manifest_anew("b");
  EXPECT_THAT(check("b").error, HasSubstr("they are of another run"));
}

TEST_F(ExportTest, ASignatureOfAnotherKeyIsRefused) {
  ASSERT_EQ(export_to("b", {"--key", path("key.pem")}).exit_code, 0);
  ASSERT_EQ(run({"/bin/sh", "-c",
                 "umask 077; cd '" + path("") +
                     "' && openssl genpkey -algorithm ed25519 -out other.pem && openssl pkey -in "
                     "other.pem -pubout -out other_public.pem"})
                .exit_code,
            0);
  EXPECT_EQ(check("b", "other_public.pem").exit_code, 1);
  // With its key in the bundle, for who has none from elsewhere it is whoever's bundle it says.
  ASSERT_EQ(run({"/bin/sh", "-c",
                 "cd '" + path("b") +
                     "' && cp ../other_public.pem public_key.pem && rm manifest.* && sha256sum * "
                     ">../m && mv ../m manifest.sha256 && openssl pkeyutl -sign -rawin -inkey "
                     "../other.pem -in manifest.sha256 -out manifest.sha256.sig"})
                .exit_code,
            0);
  EXPECT_EQ(check("b").exit_code, 0);
  EXPECT_THAT(check("b", "public.pem").error, HasSubstr("the manifest is not signed by"));
}

/// What was altered is not signed, and nothing is left behind.
TEST_F(ExportTest, WhatWouldBeSignedIsVerifiedFirst) {
  const std::map<std::string, std::string> changes{
      {"UPDATE outcome SET message = 'other' WHERE attempt_id = 2", "outcome 2: was changed"},
      {"UPDATE outcome SET message = 'other' WHERE attempt_id = 1", "outcome 1: was changed"},
      {"INSERT INTO decision SELECT 9223372036854775807, run_id, invocation_id, item_id, kind,"
       " reason, detail, observation_id, 1 FROM decision WHERE run_id = 2",
       "decision 9223372036854775807: is not in the chain"},
      {"UPDATE run SET first_item_id = 9223372036854775807 WHERE run_id = 2", "run 2: "},
      {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = sql || ' '"
       " WHERE name = 'attempt_log'",
       "schema: view attempt_log was changed"},
  };
  std::filesystem::copy_file(path("a.db"), path("whole.db"));
  for (const auto& [sql, finding] : changes) {
    std::filesystem::copy_file(path("whole.db"), path("a.db"),
                               std::filesystem::copy_options::overwrite_existing);
    { Forger(path("a.db")).sql(sql); }
    const ChildResult refused = export_to("b", {"--key", path("key.pem")});
    EXPECT_EQ(refused.exit_code, 9) << sql << refused.error;
    EXPECT_THAT(refused.out, HasSubstr(finding)) << sql;
    EXPECT_THAT(refused.error, HasSubstr("nothing was exported")) << sql;
    EXPECT_FALSE(std::filesystem::exists(path("b"))) << sql;
    EXPECT_FALSE(std::filesystem::exists(path("b.partial"))) << sql;
  }
}

TEST_F(ExportTest, NothingInABundleMakesTheCheckDoWhatItShouldNot) {
  ASSERT_EQ(export_to("b", {"--key", path("key.pem")}).exit_code, 0);
  // A column's name that would be SQL, were it put into a statement.
  copy("b", "c");
  change_evidence("c",
                  "DROP TABLE verdict; CREATE TABLE verdict (\"attempt_id\" INTEGER, \"attempt_id)"
                  " || writefile('" +
                      path("owned") +
                      "', 'x') || quote(attempt_id\" TEXT);"
                      "INSERT INTO verdict VALUES (1, 'x')");
  write_manifest_anew("c");
  EXPECT_THAT(check("c").error, HasSubstr("tables or views of evidence.db are not"));
  EXPECT_FALSE(std::filesystem::exists(path("owned")));
  // A link and a journal that the manifest does not know; the signature is right all the same.
  copy("b", "c");
  std::filesystem::create_symlink("/etc/passwd", path("c/more.csv"));
  EXPECT_THAT(check("c", "public.pem").error, HasSubstr("there are links"));
  copy("b", "c");
  std::ofstream(path("c/evidence.db-journal")) << "x";
  EXPECT_THAT(check("c", "public.pem").error, HasSubstr("files that the manifest does not list"));
  // Files that the manifest does list, and that are none of a bundle's.
  for (const char* name : {"evidence.db-wal", "approval.txt", "more.csv"}) {
    copy("b", "c");
    std::ofstream(path("c") + "/" + name) << "x";
    write_manifest_anew("c");
    EXPECT_THAT(check("c").error,
                HasSubstr(std::string("files that belong to no bundle: ") + name));
  }
  // What the reader has set for sqlite3 does not count.
  std::ofstream(path(".sqliterc")) << ".headers on\n.mode box\n";
  const ChildResult checked = check("b", "public.pem");
  EXPECT_EQ(checked.exit_code, 0) << checked.error;
}

TEST_F(ExportTest, ACheckThatCannotBeMadeSaysSoAndAScriptFromElsewhereCanBeUsed) {
  ASSERT_EQ(export_to("b", {"--key", path("key.pem")}).exit_code, 0);
  const ChildResult without = check("b", "no-such-key.pem");
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.error, HasSubstr("not checked: "));
  EXPECT_EQ(check("b", "key.pem").exit_code, 2) << "a private key";
  std::filesystem::copy(path("b/check.sh"), path("mine.sh"));
  const ChildResult checked = run({"/bin/sh", path("mine.sh"), path("public.pem"), path("b")});
  EXPECT_EQ(checked.exit_code, 0) << checked.error;
}

TEST_F(ExportTest, AnchorsOfTheChainComeAlongAndHaveToFit) {
  {
    Database database = open_audit_for_reading(path("a.db"));
    const ChainHead head = read_chain_head(database);
    const auto key = std::make_shared<const SigningKey>(SigningKey::read(path("key.pem")));
    AnchorWriter writer({.file = path("anchors"), .log_socket = {}, .key = key});
    Statement blocks =
        database.prepare("SELECT block_id, lower(hex(hash)) FROM chain ORDER BY block_id");
    while (blocks.step()) {
      writer.append({{head.chain, blocks.integer(0), std::string(blocks.text(1))}, k_test_time});
    }
    writer.append({{std::string(64, 'a'), 1, std::string(64, 'b')}, k_test_time});
  }
  const ChildResult made =
      export_to("b", {"--key", path("key.pem"), "--anchor-file", path("anchors")});
  ASSERT_EQ(made.exit_code, 0) << made.error;
  const ChildResult checked = check("b", "public.pem");
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.error;
  EXPECT_THAT(checked.out, ::testing::Not(HasSubstr("hold the last block")));
  EXPECT_THAT(content(path("b/anchors.txt")), ::testing::Not(HasSubstr(std::string(64, 'a'))));
  // Anchors that say something else of their blocks.
  std::istringstream lines(content(path("b/anchors.txt")));
  std::string changed;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t time = line.find(" 2026-");
    line[time - 1] = line[time - 1] == '1' ? '2' : '1';
    changed += line + '\n';
  }
  std::ofstream(path("b/anchors.txt")) << changed;
  write_manifest_anew("b");
  EXPECT_THAT(check("b").error, HasSubstr("an anchor does not fit its block"));
}

TEST_F(ExportTest, WritesATarFileThatTarUnpacks) {
  const ChildResult made = export_to("e.tar", {"--json"});
  ASSERT_EQ(made.exit_code, 0) << made.error;
  EXPECT_THAT(made.out, HasSubstr(R"("event":"export")"));
  ASSERT_EQ(run({"/bin/tar", "-xf", path("e.tar"), "-C", path("")}).exit_code, 0);
  const ChildResult checked = check("e");
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.error;
  EXPECT_FALSE(std::filesystem::exists(path("e.tar.partial")));
}

TEST_F(ExportTest, ARealRunWithDuplicateLinesChecksOut) {
  std::ofstream list(path("list.txt"));
  for (const int disk : {1, 2, 3, 2, 4, 1})
    list << 9900000000000000000ULL + static_cast<unsigned>(disk) << '\n';
  list.close();
  const ChildResult done = run({built_program(), "run", path("list.txt"), "--sandbox", "--db",
                                path("real.db"), "--yes", "--max-disks", "4", "--rate", "unlimited",
                                "--settle-poll", "100ms", "--anchor-key", path("key.pem"), "-q"});
  ASSERT_EQ(done.exit_code, 0) << done.error;
  const ChildResult made = run({built_program(), "audit", "export", "1", "--db", path("real.db"),
                                "-o", path("b"), "--key", path("key.pem")});
  ASSERT_EQ(made.exit_code, 0) << made.error;
  const ChildResult checked = check("b", "public.pem");
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.error;
  EXPECT_THAT(checked.out, HasSubstr("anchors    2 of these blocks are signed by the given key"));
  EXPECT_THAT(checked.out, ::testing::Not(HasSubstr("hold the last block")));
  // Without the key that signs them anchors are no more than a claim.
  EXPECT_THAT(check("b").out,
              ::testing::AllOf(HasSubstr("anchors    2, whose signatures are not looked at"),
                               HasSubstr("hold the last block")));
  copy("b", "c");
  change_evidence("c", "UPDATE duplicate_line SET source_line = 5 WHERE source_line = 4");
  write_manifest_anew("c");
  EXPECT_THAT(check("c").error, HasSubstr("rows that the chain has not"));
}

TEST_F(ExportTest, RefusesWhatCannotBeExportedAndLeavesNothingBehind) {
  std::ofstream(path("there")) << "mine";
  EXPECT_THAT(export_to("there").error, HasSubstr("is there already"));
  EXPECT_EQ(content(path("there")), "mine");
  EXPECT_THAT(export_to("no/such/folder").error, HasSubstr("cannot be made: No such file"));
  ::chmod(path("key.pem").c_str(), 0644);
  const ChildResult open_key = export_to("b", {"--key", path("key.pem")});
  EXPECT_EQ(open_key.exit_code, 2);
  EXPECT_THAT(open_key.error, HasSubstr("can be read or changed by others (mode 0644)"));
  EXPECT_EQ(run({built_program(), "audit", "export", "77", "--db", path("a.db"), "-o", path("b")})
                .exit_code,
            2);
  EXPECT_FALSE(std::filesystem::exists(path("b")));
  EXPECT_FALSE(std::filesystem::exists(path("b.partial")));
}

}  // namespace
}  // namespace diskrelease
