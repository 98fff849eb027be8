#pragma once

namespace sluice::base {

// A place in one IntrusiveList; a member of the element. Not copied, not moved while linked.
struct ListLink {
  ListLink* prev = nullptr;
  ListLink* next = nullptr;
  void* element = nullptr;
  bool linked() const { return next != nullptr; }
};

// A doubly linked list through `Link`, a member of T: push, remove and move are O(1) and never allocate. Owns nothing.
template <typename T, ListLink T::*Link>
class IntrusiveList {
 public:
  IntrusiveList() { head_.prev = head_.next = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next == &head_; }
  T* front() const { return empty() ? nullptr : static_cast<T*>(head_.next->element); }
  T* back() const { return empty() ? nullptr : static_cast<T*>(head_.prev->element); }
  // The element before `element`; nullptr at the front.
  T* prev(const T* element) const {
    const ListLink* link = (element->*Link).prev;
    return link == &head_ ? nullptr : static_cast<T*>(link->element);
  }
  // The element behind `element`; nullptr at the end.
  T* next(const T* element) const {
    const ListLink* link = (element->*Link).next;
    return link == &head_ ? nullptr : static_cast<T*>(link->element);
  }

  void PushBack(T* element) { InsertBefore(&head_, element); }
  void PushFront(T* element) { InsertBefore(head_.next, element); }
  void InsertBefore(T* successor, T* element) { InsertBefore(&(successor->*Link), element); }

  // From whichever list it is in; does nothing if it is in none.
  static void Remove(T* element) {
    ListLink& link = element->*Link;
    if (!link.linked()) return;
    link.prev->next = link.next;
    link.next->prev = link.prev;
    link = ListLink();
  }

  T* PopFront() {
    T* element = front();
    if (element != nullptr) Remove(element);
    return element;
  }

 private:
  void InsertBefore(ListLink* successor, T* element) {
    ListLink& link = element->*Link;
    link.element = element;
    link.prev = successor->prev;
    link.next = successor;
    successor->prev->next = &link;
    successor->prev = &link;
  }

  ListLink head_;
};

}  // namespace sluice::base
