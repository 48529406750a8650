package virt

import (
	"testing"
	"time"
)

func TestUsageSince(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	early := Usage{VM: "a", At: start, CPUs: 2, CPUTime: Some(10 * time.Second), Disk: Traffic{In: Some(int64(1000)), Out: Some(int64(5))}}
	late := Usage{VM: "a", At: start.Add(2 * time.Second), CPUs: 2, CPUTime: Some(11 * time.Second), Disk: Traffic{In: Some(int64(5000)), Out: Some(int64(5))}}
	told := late
	told.CPU, told.Net.InRate = Some(7.0), Some(3.0)
	restarted := late
	restarted.CPUTime, restarted.Disk.In = Some(time.Second), Some(int64(10))
	for _, tt := range []struct {
		name          string
		now, earlier  Usage
		cpu, in, out  float64
		hasCPU, hasIn bool
	}{
		{"half of one of two CPUs", late, early, 25, 2000, 0, true, true},
		{"what the platform tells stands", told, early, 7, 2000, 0, true, true},
		{"after a restart nothing is known", restarted, early, 0, 0, 0, false, false},
		{"of another VM", late, Usage{VM: "b", At: start, CPUTime: Some(time.Second)}, 0, 0, 0, false, false},
		{"at the same moment", late, late, 0, 0, 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.now.Since(tt.earlier)
			cpu, hasCPU := got.CPU.Get()
			in, hasIn := got.Disk.InRate.Get()
			if cpu != tt.cpu || hasCPU != tt.hasCPU || in != tt.in || hasIn != tt.hasIn || got.Disk.OutRate.Or(0) != tt.out {
				t.Errorf("%+v", got)
			}
			if got.Net.InRate != tt.now.Net.InRate {
				t.Errorf("net: %+v", got.Net)
			}
		})
	}
}
