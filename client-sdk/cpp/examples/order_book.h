#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

// The database is locked by somebody else: worth another try.
class Busy : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Orders in SQLite, each once. Not thread-safe.
class OrderBook {
 public:
  // Opens or creates the database. Throws std::runtime_error.
  explicit OrderBook(const std::string& path);
  OrderBook(const OrderBook&) = delete;
  ~OrderBook();

  // What is added in between is stored as a whole, or not at all. Throw Busy, or std::runtime_error.
  void Begin();
  void Commit();
  void Rollback() noexcept;

  // An order as JSON: {"id": "o-17", "customer": "ada", "cents": 1250}. One that is known by its id is not added again.
  // False: it is no order; `why` says why. Throws Busy, or std::runtime_error.
  bool Add(std::string_view json, std::string& why);

 private:
  void Execute(const char* sql);

  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};
