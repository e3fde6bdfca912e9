// How the bench calls Go's net/http: one Transport with as many connections as the row has loops, no compression,
// a 256 KiB buffer, the same check of every piece. Speaks the line protocol of client.mjs.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type options struct {
	Port        int    `json:"port"`
	Path        string `json:"path"`
	Bytes       int64  `json:"bytes"`
	Connections int    `json:"connections"`
}

const ring = 1 << 20

func patternByte(offset int64) byte {
	return byte(offset + (offset>>8)*7 + (offset>>16)*13)
}

func cpuMicroseconds() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1000
}

func exchange(client *http.Client, url string, view []byte, expected int64) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var received int64
	for {
		size, err := response.Body.Read(view)
		if size > 0 {
			first, last := received%ring, (received+int64(size)-1)%ring
			if view[0] != patternByte(first) || view[size-1] != patternByte(last) {
				return fmt.Errorf("wrong body bytes in the piece at offset %d", received)
			}
			received += int64(size)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if received != expected {
		return fmt.Errorf("the body had %d bytes instead of %d", received, expected)
	}
	return nil
}

func main() {
	var settings options
	if err := json.Unmarshal([]byte(os.Args[1]), &settings); err != nil {
		panic(err)
	}
	transport := &http.Transport{
		DisableCompression:  true,
		MaxIdleConnsPerHost: settings.Connections,
		MaxConnsPerHost:     settings.Connections,
	}
	client := &http.Client{Transport: transport}
	url := fmt.Sprintf("http://127.0.0.1:%d%s", settings.Port, settings.Path)
	fmt.Println(`{"ready":true}`)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var call struct {
			Run int64 `json:"run"`
		}
		if err := json.Unmarshal(lines.Bytes(), &call); err != nil {
			panic(err)
		}
		cpu, start := cpuMicroseconds(), time.Now()
		var loops sync.WaitGroup
		for i := 0; i < settings.Connections; i++ {
			loops.Add(1)
			go func() {
				defer loops.Done()
				view := make([]byte, 1<<18)
				for atomic.AddInt64(&call.Run, -1) >= 0 {
					if err := exchange(client, url, view, settings.Bytes); err != nil {
						panic(err)
					}
				}
			}()
		}
		loops.Wait()
		fmt.Printf("{\"cpu\":%d,\"wall\":%d}\n", cpuMicroseconds()-cpu, time.Since(start).Microseconds())
	}
}
