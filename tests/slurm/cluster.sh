#!/usr/bin/env bash
# A private SLURM of one node on the loopback, without systemd or cgroups: munge, [mariadb, slurmdbd,] slurmctld, slurmd.
# Run as root on Debian after: apt-get install -y --no-install-recommends munge slurm-wlm slurmdbd mariadb-server
# usage: cluster.sh up | down       everything lies under $SLURM_ROOT but for the link /etc/slurm/slurm.conf
#   ACCOUNTING=1 (default): slurmdbd and MariaDB, so that sacct answers; 0: none, as on many small clusters
set -euo pipefail
ROOT=${SLURM_ROOT:?where the cluster may write}
ACCOUNTING=${ACCOUNTING:-1}
PORT=${SLURM_PORT:-26817}  # slurmctld; +1 slurmd, +2 slurmdbd, +3 mariadb
GPUS=4
NODE=$(hostname -s)
ETC=$ROOT/etc RUN=$ROOT/run LOG=$ROOT/log
export SLURM_CONF=$ETC/slurm.conf

wait_for() {  # seconds, command
    local tries=$(($1 * 5)); shift
    for _ in $(seq "$tries"); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
    echo "gave up waiting for: $*; see $LOG" >&2; return 1
}

configure() {
    mkdir -p "$ETC" "$RUN" "$LOG" "$ROOT"/{state,spool,munge,dev}
    chmod 0755 "$ROOT" "$ETC" "$RUN" "$LOG"; chmod 0700 "$ROOT/munge"
    [ -s "$ROOT/munge/munge.key" ] || head -c 1024 /dev/urandom > "$ROOT/munge/munge.key"
    chmod 0400 "$ROOT/munge/munge.key"
    # Fake GPUs: character devices, or CUDA_VISIBLE_DEVICES stays empty; ordinary files where mknod is not allowed.
    for gpu in $(seq 0 $((GPUS - 1))); do
        [ -e "$ROOT/dev/nvidia$gpu" ] || mknod -m 666 "$ROOT/dev/nvidia$gpu" c 1 3 2>/dev/null || : > "$ROOT/dev/nvidia$gpu"
    done
    printf 'AutoDetect=off\nNodeName=%s Name=gpu Type=fake File=%s/dev/nvidia[0-%s]\n' "$NODE" "$ROOT" $((GPUS - 1)) > "$ETC/gres.conf"
    local accounting="AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none"
    # The munge socket of the slurmdbd connection goes in AccountingStoragePass: AuthInfo is ignored there.
    [ "$ACCOUNTING" = 0 ] || accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 2))
AccountingStoragePass=$RUN/munge.socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5"
    # The node advertises more memory than it has, so that profiles/slurm runs as it is shipped.
    cat > "$ETC/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$NODE(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$RUN/munge.socket
StateSaveLocation=$ROOT/state
SlurmdSpoolDir=$ROOT/spool
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=15
MinJobAge=300
InactiveLimit=0
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
PriorityType=priority/basic
JobRequeue=1
GresTypes=gpu
$accounting
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=8 RealMemory=512000 Gres=gpu:fake:$GPUS State=UNKNOWN
PartitionName=cpu Nodes=$NODE Default=YES MaxTime=7-00:00:00 State=UP OverSubscribe=NO
PartitionName=gpu Nodes=$NODE Default=NO MaxTime=7-00:00:00 State=UP OverSubscribe=NO
CONF
    cat > "$ETC/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.socket
DbdHost=$NODE
DbdAddr=127.0.0.1
DbdPort=$((PORT + 2))
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$((PORT + 3))
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile=$LOG/slurmdbd.log
PidFile=$RUN/slurmdbd.pid
CONF
    chmod 0600 "$ETC/slurmdbd.conf"  # slurmdbd refuses any other mode
}

start_accounting() {
    [ -d "$ROOT/mysql/mysql" ] || mariadb-install-db --no-defaults --user=root --datadir="$ROOT/mysql" \
        --auth-root-authentication-method=normal --skip-test-db > "$LOG/mariadb-install.log" 2>&1
    setsid mariadbd --no-defaults --user=root --datadir="$ROOT/mysql" --socket="$RUN/mysql.sock" --pid-file="$RUN/mariadb.pid" \
        --bind-address=127.0.0.1 --port=$((PORT + 3)) --innodb-buffer-pool-size=64M > "$LOG/mariadb.log" 2>&1 < /dev/null &
    wait_for 60 mariadb-admin --no-defaults --socket="$RUN/mysql.sock" -uroot ping
    mariadb --no-defaults --socket="$RUN/mysql.sock" -uroot -e "create database if not exists slurm_acct_db;
        create user if not exists 'slurm'@'127.0.0.1' identified by 'slurm'; create user if not exists 'slurm'@'localhost' identified by 'slurm';
        grant all on slurm_acct_db.* to 'slurm'@'127.0.0.1'; grant all on slurm_acct_db.* to 'slurm'@'localhost'"
    slurmdbd
    wait_for 60 sacctmgr -n show cluster
    for entity in "cluster test" "account lab Cluster=test" "user root Account=lab"; do
        sacctmgr -i add $entity >/dev/null || true  # an error where it is there already
    done
}

up() {
    configure
    # SLURM_CONF alone is not enough: the executor's job step drops SLURM_* variables, so the compiled-in path must resolve.
    mkdir -p /etc/slurm
    [ ! -e /etc/slurm/slurm.conf ] || [ -L /etc/slurm/slurm.conf ] || { echo "/etc/slurm/slurm.conf belongs to another SLURM" >&2; exit 1; }
    ln -sfn "$SLURM_CONF" /etc/slurm/slurm.conf
    munged --force --key-file="$ROOT/munge/munge.key" --socket="$RUN/munge.socket" --pid-file="$RUN/munged.pid" \
        --log-file="$LOG/munged.log" --seed-file="$ROOT/munge/munged.seed" --num-threads=2
    wait_for 20 munge -n -S "$RUN/munge.socket" -o /dev/null
    [ "$ACCOUNTING" = 0 ] || start_accounting
    slurmctld -f "$SLURM_CONF"
    wait_for 60 scontrol ping
    slurmd -f "$SLURM_CONF" -N "$NODE"
    wait_for 60 bash -c "scontrol update NodeName=$NODE State=RESUME; sinfo -h -p cpu -o %T | grep -qE '^(idle|mixed|allocated)$'"
    sinfo -N -o '%N %P %T %c %m %G'
}

down() {  # by pid file, in reverse order
    scancel --user=root >/dev/null 2>&1 || true
    for daemon in slurmd slurmctld slurmdbd mariadb munged; do
        [ -s "$RUN/$daemon.pid" ] || continue
        pid=$(cat "$RUN/$daemon.pid")
        kill "$pid" 2>/dev/null || true
        wait_for 20 bash -c "! kill -0 $pid" || true
        rm -f "$RUN/$daemon.pid"
    done
    [ "$(readlink /etc/slurm/slurm.conf)" != "$SLURM_CONF" ] || rm -f /etc/slurm/slurm.conf
}

case ${1:-} in
    up) up ;;
    down) down ;;
    *) sed -n 's/^# usage: //p' "$0" >&2; exit 2 ;;
esac
