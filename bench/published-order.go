// Prints the order of arrival and the ranks of the nodes that the published simulator draws from one seed.
//
// Standard input: "SEED LIMIT NODES" (limit: GPU thousandths of all arrivals), then one line "TOTAL PER_GPU" in thousandths
// for each pod, sorted by name. Standard output: one line of indices of pods in order of arrival, one with the rank of each
// node (sorted by name). Go, because the published figures hang on its random stream: Go 1 promises never to change what
// a seeded math/rand draws.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
)

// Draws that the simulator's informers take from the same stream between the pods and the nodes. Counted on one seed by trying 0
// to 12; with 10, all ten published seeds come out on every trace.
const drawnByInformers = 10

func main() {
	in := bufio.NewReader(os.Stdin)
	var seed, limit, total, each int64
	var nodes int
	if _, err := fmt.Fscan(in, &seed, &limit, &nodes); err != nil {
		fmt.Fprintln(os.Stderr, "first line: found", err, "; accepted: SEED LIMIT NODES")
		os.Exit(2)
	}
	var totals, perGPU []int64
	for {
		if _, err := fmt.Fscan(in, &total, &each); err != nil {
			break
		}
		totals, perGPU = append(totals, total), append(perGPU, each)
	}

	random := rand.New(rand.NewSource(seed))
	random.Int() // logged by the simulator
	order := make([]int, len(totals))
	demand := int64(0)
	for pod := range order {
		order[pod] = pod
		demand += totals[pod]
	}
	random.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	if demand > limit {
		for demand > limit {
			at := random.Intn(len(order))
			demand -= totals[order[at]]
			order = append(order[:at], order[at+1:]...)
		}
	} else if demand < limit {
		for {
			pod := random.Intn(len(totals))
			// judged by its thousandths per GPU, as published
			if demand+perGPU[pod] > limit {
				break
			}
			demand += totals[pod]
			order = append(order, pod)
		}
	}
	for draw := 0; draw < drawnByInformers; draw++ {
		random.Int63()
	}

	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, pod := range order {
		fmt.Fprint(out, pod, " ")
	}
	fmt.Fprintln(out)
	for _, rank := range random.Perm(nodes) {
		fmt.Fprint(out, rank, " ")
	}
	fmt.Fprintln(out)
}
