package ovirtsim

import (
	"maps"
	"sync"
)

// pageSize is the grain in which an image's data and zeros are told apart.
const pageSize = 64 << 10

// content is what an image holds. Pages that are not there are zero. It has a lock
// of its own: data comes in while the engine goes on.
type content struct {
	mu     sync.Mutex
	pages  map[int64][]byte
	length int64 // end of what was written
}

// write puts p at an offset.
func (k *content) write(p []byte, at int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.length = max(k.length, at+int64(len(p)))
	for len(p) > 0 {
		n, from := at/pageSize, at%pageSize
		page := k.pages[n]
		if page == nil {
			page = make([]byte, pageSize)
			if k.pages == nil {
				k.pages = map[int64][]byte{}
			}
			k.pages[n] = page
		}
		m := copy(page[from:], p)
		p, at = p[m:], at+int64(m)
	}
}

// zero makes a range zero.
func (k *content) zero(at, length int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	end := at + length
	k.length = max(k.length, end)
	for at < end {
		n, from := at/pageSize, at%pageSize
		m := min(pageSize-from, end-at)
		if page := k.pages[n]; page != nil && m < pageSize {
			clear(page[from : from+m])
		} else {
			delete(k.pages, n)
		}
		at += m
	}
}

// read fills p from an offset on.
func (k *content) read(p []byte, at int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(p) > 0 {
		n, from := at/pageSize, at%pageSize
		m := min(int64(len(p)), pageSize-from)
		if page := k.pages[n]; page != nil {
			copy(p[:m], page[from:])
		} else {
			clear(p[:m])
		}
		p, at = p[m:], at+m
	}
}

// extent is a part of an image, as the images API tells of it.
type extent struct {
	Start  int64 `json:"start"`
	Length int64 `json:"length"`
	Zero   bool  `json:"zero"`
	Hole   bool  `json:"hole"`
}

// extents tells which parts of the first size bytes are zero.
func (k *content) extents(size int64) []extent {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := []extent{}
	for at := int64(0); at < size; at += pageSize {
		zero, n := k.pages[at/pageSize] == nil, min(pageSize, size-at)
		if last := len(list) - 1; last >= 0 && list[last].Zero == zero {
			list[last].Length += n
		} else {
			list = append(list, extent{Start: at, Length: n, Zero: zero})
		}
	}
	return list
}

// copied gives a copy.
func (k *content) copied() *content {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := &content{length: k.length, pages: maps.Clone(k.pages)}
	for n, page := range c.pages {
		c.pages[n] = append([]byte(nil), page...)
	}
	return c
}

// stored is how many bytes of storage it takes.
func (k *content) stored() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return int64(len(k.pages)) * pageSize
}
