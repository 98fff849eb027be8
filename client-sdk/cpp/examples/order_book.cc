#include "client-sdk/cpp/examples/order_book.h"

#include <sqlite3.h>

namespace {

// SQLite reads the JSON, and checks it: one language less.
constexpr char kSchema[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE IF NOT EXISTS orders ("
    "  id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),"
    "  customer TEXT NOT NULL,"
    "  cents INTEGER NOT NULL CHECK (typeof(cents) = 'integer' AND cents >= 0))";
constexpr char kInsert[] =
    "INSERT INTO orders VALUES (?1 ->> 'id', ?1 ->> 'customer', ?1 ->> 'cents') ON CONFLICT (id) DO NOTHING";

[[noreturn]] void Fail(sqlite3* db) {
  const int code = sqlite3_errcode(db);
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) throw Busy(sqlite3_errmsg(db));
  throw std::runtime_error(sqlite3_errmsg(db));
}

}  // namespace

OrderBook::OrderBook(const std::string& path) {
  if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) {
    const std::string why = sqlite3_errmsg(db_);
    sqlite3_close(db_);
    throw std::runtime_error(path + ": " + why);
  }
  sqlite3_busy_timeout(db_, 1000);
  Execute(kSchema);
  if (sqlite3_prepare_v2(db_, kInsert, -1, &insert_, nullptr) != SQLITE_OK) Fail(db_);
}

OrderBook::~OrderBook() {
  sqlite3_finalize(insert_);
  sqlite3_close(db_);
}

void OrderBook::Begin() { Execute("BEGIN IMMEDIATE"); }
void OrderBook::Commit() { Execute("COMMIT"); }
void OrderBook::Rollback() noexcept { sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr); }

bool OrderBook::Add(std::string_view json, std::string& why) {
  sqlite3_reset(insert_);
  sqlite3_bind_text64(insert_, 1, json.data(), json.size(), SQLITE_STATIC, SQLITE_UTF8);
  const int result = sqlite3_step(insert_);
  if (result == SQLITE_DONE) return true;
  const int code = sqlite3_reset(insert_);
  if (code != SQLITE_ERROR && code != SQLITE_CONSTRAINT) Fail(db_);
  why = sqlite3_errmsg(db_);  // "malformed JSON", "NOT NULL constraint failed: orders.id"
  return false;
}

void OrderBook::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) Fail(db_);
}
