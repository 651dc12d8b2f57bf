package process

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test's own program is the one that is looked for: it listens at an address, and may be deaf to SIGTERM.
func TestMain(m *testing.M) {
	if len(os.Args) != 4 || os.Args[1] != "listen" {
		os.Exit(m.Run())
	}
	if os.Args[3] == "deaf" {
		signal.Ignore(unix.SIGTERM)
	}
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	select {}
}

// listen starts the program and returns its address.
func listen(t *testing.T, address, ears string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "listen", address, ears)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line[:len(line)-1]
}

// What End has ended holds nothing any more: the address that it listened at is free at once.
func TestEnd(t *testing.T) {
	address := "127.0.0.1:0"
	mark := address // the process is found by it, as it was given
	ours := func(args []string) bool { return slices.Equal(args, []string{os.Args[0], "listen", mark, "hears"}) }
	for range 20 {
		mark = address
		address = listen(t, address, "hears")
		if found := Find(ours); len(found) != 1 {
			t.Fatalf("found %v", found)
		}
		if err := End(ours, unix.SIGTERM, time.Minute); err != nil {
			t.Fatal(err)
		}
		if found := Find(ours); len(found) != 0 {
			t.Fatalf("found %v after its end", found)
		}
	}
}

func TestEndKillsTheDeaf(t *testing.T) {
	address := listen(t, "127.0.0.1:0", "deaf")
	deaf := func(args []string) bool { return len(args) == 4 && args[0] == os.Args[0] && args[3] == "deaf" }
	if err := End(deaf, unix.SIGTERM, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func TestEndOfNothing(t *testing.T) {
	if err := End(func([]string) bool { return false }, unix.SIGTERM, time.Minute); err != nil {
		t.Error(err)
	}
}
