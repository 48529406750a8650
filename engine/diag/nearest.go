package diag

import "fmt"

// maxDistance is the largest edit distance at which a name still counts as a
// misspelling; OpenTofu found the same threshold by experiment.
const maxDistance = 2

// Nearest gives the candidate that is closest to name, or "" when none is near
// enough to be a likely misspelling. Ties go to the earlier candidate.
// It compares every candidate: meant for hundreds, not for millions.
func Nearest(name string, candidates []string) string {
	best, bestDist := "", maxDistance+1
	for _, c := range candidates {
		if d := distance(name, c); d < bestDist && d < max(len(name), len(c)) {
			best, bestDist = c, d
		}
	}
	return best
}

// DidYouMean gives `, did you mean "x"?` for the nearest candidate, or "".
func DidYouMean(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return fmt.Sprintf(", did you mean %q?", n)
	}
	return ""
}

// distance is the optimal string alignment distance: like Levenshtein's, with
// the swap of two neighbours as one edit, for that is how people mistype.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if d := len(s) - len(t); d > maxDistance || -d > maxDistance {
		return maxDistance + 1
	}
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}
