package sluice

// lane is the messages of one key that are here: one has its turn, the others wait.
type lane struct {
	waiting []*held // in the order of delivery
}

// lanes keeps order by key within the app. Part of the inbox, guarded by its mutex.
type lanes struct {
	byKey map[string]*lane
	due   []*held // whose turn has come while they waited, and whom no goroutine has taken yet
}

// enter is true if h may be taken at once; else it waits in its lane.
func (l *lanes) enter(h *held) bool {
	if l.byKey == nil {
		l.byKey = map[string]*lane{}
	}
	h.lane = l.byKey[h.key]
	if h.lane != nil {
		h.lane.waiting = append(h.lane.waiting, h)
		return false
	}
	h.lane = &lane{}
	l.byKey[h.key] = h.lane
	return true
}

// leave: h, whose turn it was, is done. True: the next of its key is due.
func (l *lanes) leave(h *held) bool {
	mine := h.lane
	if l.byKey[h.key] != mine {
		return false // let go of when the inbox was closed
	}
	for len(mine.waiting) > 0 {
		var next *held
		if next, mine.waiting = shift(mine.waiting); next.place.Load() == placeQueued { // else dropped while it waited
			l.due = append(l.due, next)
			return true
		}
	}
	delete(l.byKey, h.key)
	return false
}

// takeDue is the message whose turn came first; nil: none.
func (l *lanes) takeDue() (h *held) {
	if len(l.due) > 0 {
		h, l.due = shift(l.due)
	}
	return h
}

// shift takes the first of a queue, and lets go of it.
func shift[T any](queue []*T) (first *T, rest []*T) {
	first, queue[0] = queue[0], nil
	return first, queue[1:]
}
