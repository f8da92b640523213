#!/usr/bin/env bash
# Grades a class on a cluster: an array of jobs, and one that waits for all of them. Give it a folder that all nodes see:
#   LAB=3 SUBMISSIONS=~/submissions OUT=~/graded OF=8 examples/grading/slurm/submit.sh
# Again, with the same: what is done is not graded again.
set -euo pipefail
: "${LAB:?which lab, such as 3}" "${SUBMISSIONS:?the folder of submissions}" "${OUT:?a folder for results}" "${OF:?how many parts}"
here=$(cd "$(dirname "$0")" && pwd)
MASQUE_LAB=$(cd "$here/../../.." && pwd)
SUBMISSIONS=$(realpath "$SUBMISSIONS")
mkdir -p "$OUT/parts"
OUT=$(realpath "$OUT")
export MASQUE_LAB LAB SUBMISSIONS OUT OF

array=$(sbatch --parsable --array="1-$OF" --output="$OUT/part-%a.log" "$here/grade.sbatch")
# After all have ended, however that was: the merge says which parts are missing, and how to make them.
merge=$(sbatch --parsable --dependency="afterany:$array" --output="$OUT/merge.log" "$here/merge.sbatch")
echo "$OF parts are job $array, the merge is job $merge: $OUT/merge.log"
