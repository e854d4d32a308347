/*
 * The handover, as docs/handover.md has it: both sessions with their journals, the recorded decision, two leaders, and
 * what can go wrong. sandbox/model checks it with spin, in every possible order of events:
 *
 *   H1  never do both devices run                                  asserted where a device is made to run
 *   H2  state that exists is never discarded before the other      asserted where a device is reset
 *       side holds it or the decision is taken
 *   H3  every run ends, and then exactly one device runs, or a     asserted where nothing is left to happen;
 *       session is STRANDED, which asks a person                   sandbox/model --endless looks for others
 *   F   no agent obeys a leader older than one that it obeyed      asserted where a command is obeyed
 *
 * GO, REPLAY and DAMAGED are tables of what SourceMachine, DestinationMachine and their replays do, read from those by a person.
 * MUTANT_... switches plant one fault of ours each; sandbox/model --mutants expects a counterexample for every one.
 *
 * Left out, because nothing of H1 to H3 hangs on it: pauses and their length, rounds, windows, the transfer to the
 * workload, resets that fail, journals of which no entry can be read, forgotten sessions, a status emptied by hand.
 */
#ifndef SMALL
#define CRASHES 2                    /* of either agent or of either leader */
#define CUTS 1                       /* partitions, each of which heals */
#else
#define CRASHES 1                    /* enough for the mutants */
#define CUTS 0
#endif
#define MISHAPS 1                    /* a command that never arrives, a device that refuses for a time or for good or loses
                                        what was loaded, an entry that the disk did not take or gives back no more */

mtype = { SOURCE_STARTING, SOURCE_READY, SOURCE_PRECOPY, SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION, SOURCE_COMPLETING,
          SOURCE_COMPLETED, SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, SOURCE_STRANDED,
          DESTINATION_LISTENING, DESTINATION_RECEIVING, DESTINATION_LOADED, DESTINATION_ACTIVATING, DESTINATION_ACTIVE,
          DESTINATION_DISCARDING, DESTINATION_DISCARDED, DESTINATION_STRANDED,
          Nothing, SourceStarted, SwitchingOver, EndAllowed, Committed, Completed, RollingBack, RolledBack,
          Prepared, Loaded, Activating, StateLost, Active, Discarding, Discarded,
          Undecided, Empty, Holding, Running, Nowhere, AtSource, AtDestination, AtStream, AtApiServer };

/* What outlives every crash: the record, the journals, the devices, the fencing numbers. */
mtype handover = Undecided;                                            /* status.handover; Committed, RolledBack */
bool committed, rolledBack;          /* what anybody may have read in it at some time */
mtype src = SOURCE_STARTING, srcLog = Nothing, srcDev = Running;       /* session, last entry, device */
mtype dst = DESTINATION_LISTENING, dstLog = Nothing, dstDev = Empty;
bool srcLost, dstLost;               /* entries behind the last one cannot be read */
bool srcBad, dstBad, mended;         /* a device refuses; somebody will mend it */
#define SOURCE 0
#define DESTINATION 1
byte highest[2], obeyed[2];          /* fencing number on disk; the highest that was ever obeyed */

/* The network. What was sent may arrive at any time later and any number of times. Bit n: sent by leader n (1, 2). */
#define SwitchOver 0
#define Commit 1
#define RollBackSource 2
#define VerifyLoaded 3
#define Activate 4
#define RollBackDestination 5
byte sent[6];
byte answered;                       /* to which leaders VerifyLoaded said: it is loaded */
bool endMark, wasAwaiting;
mtype cut = Nowhere;
byte crashes = CRASHES, cuts = CUTS, mishaps = MISHAPS;

#ifdef MUTANT_FENCING_IGNORED
#define ADMITS(agent, n) true
#else
#define ADMITS(agent, n) (n >= highest[agent])
#endif
#define ARRIVED(agent, command, n) ((sent[command] & n) && ADMITS(agent, n))
#define CUT_OFF(agent) (cut == (agent == SOURCE -> AtSource : AtDestination))
#define TOLD(agent, command) (!CUT_OFF(agent) && (ARRIVED(agent, command, 1) || ARRIVED(agent, command, 2)))
inline obey(agent, command, n) {
  if :: ARRIVED(agent, command, 1) -> n = 1 :: ARRIVED(agent, command, 2) -> n = 2 fi;
  assert(n >= obeyed[agent]);                                                                           /* F */
  obeyed[agent] = n; highest[agent] = n
}

/* side goes from one state to another where the condition holds; the effect is what is on disk before it counts. */
#define GO(side, from, to, condition, effect) :: atomic { side == from && (condition) -> effect; side = to; n = 0; \
    printf("%e -> %e\n", from, to) }
#define REPLAY(log, entry, side, state) :: log == entry -> side = state
#define DAMAGED(log, entry, side, state) :: log == entry -> side = state
#define MUTANT(side, from, to, condition, effect) GO(side, from, to, condition, effect)
#define JOURNAL_SOURCE(entry) srcLog = entry; srcLost = false
#define JOURNAL_DESTINATION(entry) dstLog = entry; dstLost = false

inline backAtSource() {                           /* a full disk does not keep the workload paused */
  if :: JOURNAL_SOURCE(RollingBack) :: mishaps > 0 -> mishaps-- fi
}
inline forget(agent) {
#ifdef MUTANT_FENCING_NUMBER_NOT_ON_DISK
  highest[agent] = 0
#else
  skip
#endif
}

active proctype Source() {
  byte n;
end: do
  :: atomic { src == SOURCE_STARTING && srcLog == Nothing -> JOURNAL_SOURCE(SourceStarted) }
  GO(src, SOURCE_STARTING, SOURCE_ROLLED_BACK, srcLog == Nothing, skip)                                /* refused */
  GO(src, SOURCE_STARTING, SOURCE_READY, srcLog == SourceStarted, skip)
  GO(src, SOURCE_STARTING, SOURCE_PRECOPY, srcLog == SourceStarted, skip)
  GO(src, SOURCE_READY, SOURCE_STOPNCOPY, TOLD(SOURCE, SwitchOver), obey(SOURCE, SwitchOver, n); JOURNAL_SOURCE(SwitchingOver))
  GO(src, SOURCE_PRECOPY, SOURCE_STOPNCOPY, TOLD(SOURCE, SwitchOver), obey(SOURCE, SwitchOver, n); JOURNAL_SOURCE(SwitchingOver))
  :: atomic { src == SOURCE_STOPNCOPY && srcDev == Running -> srcDev = Holding; printf("the source's device stops\n") }
#ifdef MUTANT_END_ALLOWED_NOT_JOURNALLED
  MUTANT(src, SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION, srcDev == Holding && srcLog == SwitchingOver, endMark = true; wasAwaiting = true)
#endif
  :: atomic { src == SOURCE_STOPNCOPY && srcDev == Holding && srcLog == SwitchingOver -> JOURNAL_SOURCE(EndAllowed) }
  :: atomic { src == SOURCE_STOPNCOPY && srcLog == EndAllowed && !endMark -> endMark = true; printf("the end mark is sent\n") }
  GO(src, SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION, srcLog == EndAllowed, wasAwaiting = true)       /* or sending it failed */

  /* By itself, for whatever reason or because it is told, until EndAllowed is on disk. */
  GO(src, SOURCE_STARTING, SOURCE_ROLLING_BACK, srcLog != Nothing, backAtSource())
  GO(src, SOURCE_READY, SOURCE_ROLLING_BACK, true, backAtSource())
  GO(src, SOURCE_PRECOPY, SOURCE_ROLLING_BACK, true, backAtSource())
  GO(src, SOURCE_STOPNCOPY, SOURCE_ROLLING_BACK, srcLog != EndAllowed, backAtSource())
  GO(src, SOURCE_AWAITING_DECISION, SOURCE_ROLLING_BACK, TOLD(SOURCE, RollBackSource), obey(SOURCE, RollBackSource, n); backAtSource())
  GO(src, SOURCE_STRANDED, SOURCE_ROLLING_BACK, TOLD(SOURCE, RollBackSource) && !srcBad, obey(SOURCE, RollBackSource, n))
#ifdef MUTANT_SOURCE_TIRES_OF_WAITING
  MUTANT(src, SOURCE_AWAITING_DECISION, SOURCE_ROLLING_BACK, true, backAtSource())
#endif
#ifdef MUTANT_SOURCE_RESUMES_AFTER_COMMITTED
  MUTANT(src, SOURCE_COMPLETING, SOURCE_ROLLING_BACK, srcDev == Holding, backAtSource())
#endif
  :: atomic { src == SOURCE_ROLLING_BACK && srcDev == Holding && !srcBad ->
       srcDev = Running; printf("the source's device runs\n"); assert(dstDev != Running) }              /* H1 */
  GO(src, SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, srcDev == Running, JOURNAL_SOURCE(RolledBack))
  GO(src, SOURCE_ROLLING_BACK, SOURCE_STRANDED, srcBad, skip)

  GO(src, SOURCE_AWAITING_DECISION, SOURCE_COMPLETING, TOLD(SOURCE, Commit), obey(SOURCE, Commit, n); JOURNAL_SOURCE(Committed))
  :: atomic { src == SOURCE_COMPLETING && srcDev != Empty -> srcDev = Empty; printf("the source's device is reset\n");
       assert(handover == Committed && dstDev == Running) }                                             /* H2 */
  GO(src, SOURCE_COMPLETING, SOURCE_COMPLETED, srcDev == Empty, JOURNAL_SOURCE(Completed))

  :: atomic { crashes > 0 && srcLog != Nothing && src != SOURCE_COMPLETED && src != SOURCE_ROLLED_BACK ->
       crashes--; forget(SOURCE); printf("the source's agent restarts, in %e\n", src);
       if                                         /* an end that cannot be read: of the last entry or only behind it */
       :: mishaps > 0 -> mishaps--; srcLost = true;
          if :: srcLog == Committed -> srcLog = EndAllowed :: srcLog == RollingBack -> srcLog = SwitchingOver :: skip fi
       :: skip
       fi;
       if
#ifndef MUTANT_DAMAGED_END_IS_CUT_OFF
       :: srcLost && (srcLog == SourceStarted || srcLog == SwitchingOver || srcLog == EndAllowed) ->
          if
          DAMAGED(srcLog, SourceStarted, src, SOURCE_AWAITING_DECISION)
          DAMAGED(srcLog, SwitchingOver, src, SOURCE_AWAITING_DECISION)
          DAMAGED(srcLog, EndAllowed, src, SOURCE_AWAITING_DECISION)
          fi
#else
       :: srcLost && srcLog == EndAllowed -> srcLost = false; srcLog = SwitchingOver; src = SOURCE_STOPNCOPY
#endif
       :: else ->
          if
          REPLAY(srcLog, SourceStarted, src, SOURCE_STARTING)
          REPLAY(srcLog, SwitchingOver, src, SOURCE_STOPNCOPY)
          REPLAY(srcLog, EndAllowed, src, SOURCE_AWAITING_DECISION)
          REPLAY(srcLog, Committed, src, SOURCE_COMPLETING)
          REPLAY(srcLog, Completed, src, SOURCE_COMPLETED)
          REPLAY(srcLog, RollingBack, src, SOURCE_ROLLING_BACK)
          REPLAY(srcLog, RolledBack, src, SOURCE_ROLLED_BACK)
          fi
       fi }
  od
}
#define ANSWER(m) :: atomic { dst == DESTINATION_LOADED && dstDev == Holding && !dstBad && !CUT_OFF(DESTINATION) && \
    ARRIVED(DESTINATION, VerifyLoaded, m) && !(answered & m) -> assert(m >= obeyed[DESTINATION]); \
    obeyed[DESTINATION] = m; highest[DESTINATION] = m; answered = answered | m }
#define ACTIVATED (dstLog == Activating || dstLog == StateLost)
active proctype Destination() {
  byte n;
end: do
  :: atomic { dst == DESTINATION_LISTENING && dstLog == Nothing -> JOURNAL_DESTINATION(Prepared) }
  GO(dst, DESTINATION_LISTENING, DESTINATION_DISCARDED, dstLog == Nothing, skip)                       /* refused */
  GO(dst, DESTINATION_LISTENING, DESTINATION_RECEIVING, dstLog == Prepared && cut != AtStream, skip)
  :: atomic { dst == DESTINATION_RECEIVING && endMark && dstDev == Empty && cut != AtStream -> dstDev = Holding }
#ifdef MUTANT_LOADED_NOT_JOURNALLED
  MUTANT(dst, DESTINATION_RECEIVING, DESTINATION_LOADED, dstDev == Holding, skip)
#endif
  GO(dst, DESTINATION_RECEIVING, DESTINATION_LOADED, dstDev == Holding, JOURNAL_DESTINATION(Loaded))

  /* A look at what is loaded, by itself and for VerifyLoaded. */
  GO(dst, DESTINATION_LOADED, DESTINATION_STRANDED, dstBad || dstDev != Holding, skip)
  GO(dst, DESTINATION_STRANDED, DESTINATION_LOADED, !ACTIVATED && !dstLost && !dstBad && dstDev == Holding, skip)
  ANSWER(1)
  ANSWER(2)

  /* By itself until Loaded is on disk, then only where it is told. */
  GO(dst, DESTINATION_LISTENING, DESTINATION_DISCARDING, dstLog != Nothing, JOURNAL_DESTINATION(Discarding))
  GO(dst, DESTINATION_RECEIVING, DESTINATION_DISCARDING, true, JOURNAL_DESTINATION(Discarding))
  GO(dst, DESTINATION_LOADED, DESTINATION_DISCARDING, TOLD(DESTINATION, RollBackDestination),
     obey(DESTINATION, RollBackDestination, n); JOURNAL_DESTINATION(Discarding))
  GO(dst, DESTINATION_STRANDED, DESTINATION_DISCARDING, !ACTIVATED && TOLD(DESTINATION, RollBackDestination),
     obey(DESTINATION, RollBackDestination, n); JOURNAL_DESTINATION(Discarding))
  :: atomic { dst == DESTINATION_DISCARDING && dstDev != Empty -> printf("the destination's device is reset\n");
       assert(handover != Committed && srcDev != Empty); dstDev = Empty }                               /* H2 */
  GO(dst, DESTINATION_DISCARDING, DESTINATION_DISCARDED, dstDev == Empty, JOURNAL_DESTINATION(Discarded))

  GO(dst, DESTINATION_LOADED, DESTINATION_ACTIVATING, TOLD(DESTINATION, Activate), obey(DESTINATION, Activate, n); JOURNAL_DESTINATION(Activating))
  GO(dst, DESTINATION_STRANDED, DESTINATION_ACTIVATING,
     TOLD(DESTINATION, Activate) && !dstBad && dstLog != StateLost && !(ACTIVATED && dstLost) && (dstDev == Holding || ACTIVATED && dstDev == Running),
     obey(DESTINATION, Activate, n); JOURNAL_DESTINATION(Activating))
  :: atomic { dst == DESTINATION_ACTIVATING && dstDev == Holding && !dstBad ->
       dstDev = Running; printf("the destination's device runs\n"); assert(srcDev != Running) }         /* H1 */
  GO(dst, DESTINATION_ACTIVATING, DESTINATION_ACTIVE, dstDev == Running && !dstBad, JOURNAL_DESTINATION(Active))
  GO(dst, DESTINATION_ACTIVATING, DESTINATION_STRANDED, dstBad, skip)
  GO(dst, DESTINATION_ACTIVATING, DESTINATION_STRANDED, dstDev == Empty, JOURNAL_DESTINATION(StateLost))

  :: atomic { crashes > 0 && dstLog != Nothing && dst != DESTINATION_ACTIVE && dst != DESTINATION_DISCARDED ->
       crashes--; forget(DESTINATION); printf("the destination's agent restarts, in %e\n", dst);
       if
       :: mishaps > 0 -> mishaps--; dstLost = true;
          if :: dstLog == Loaded -> dstLog = Prepared :: dstLog == Activating -> dstLog = Loaded
             :: dstLog == Discarding -> dstLog = Loaded :: dstLog == StateLost -> dstLog = Activating :: skip fi
       :: skip
       fi;
       if
       :: dstLost && (dstLog == Prepared || dstLog == Loaded || dstLog == Activating) ->
          if
          DAMAGED(dstLog, Prepared, dst, DESTINATION_STRANDED)
          DAMAGED(dstLog, Loaded, dst, DESTINATION_LOADED)
          DAMAGED(dstLog, Activating, dst, DESTINATION_STRANDED)
          fi
#ifdef MUTANT_DISCARDS_WHEN_ACTIVATING
       :: dstLog == Activating -> JOURNAL_DESTINATION(Discarding); dst = DESTINATION_DISCARDING
#endif
       :: else ->
          if
          REPLAY(dstLog, Prepared, dst, DESTINATION_LISTENING)
          REPLAY(dstLog, Loaded, dst, DESTINATION_LOADED)
          REPLAY(dstLog, Activating, dst, DESTINATION_ACTIVATING)
          REPLAY(dstLog, StateLost, dst, DESTINATION_STRANDED)
          REPLAY(dstLog, Active, dst, DESTINATION_ACTIVE)
          REPLAY(dstLog, Discarding, dst, DESTINATION_DISCARDING)
          REPLAY(dstLog, Discarded, dst, DESTINATION_DISCARDED)
          fi
       fi }
  od
}

/*
 * A replica of the operator. It keeps nothing: what it has seen may be as old as it likes, and to act late on a look is to
 * give a command that arrives late. So it may act on whatever once was so, and only the record's compare-and-set is of now.
 */
#define GIVE(command, condition) :: atomic { (condition) && !(sent[command] & n) -> sent[command] = sent[command] | n; \
    printf("leader %d gives command %d\n", n, command) }
#ifdef MUTANT_NO_COMPARE_AND_SET
#define UNCHANGED true
#else
#define UNCHANGED (handover == Undecided)
#endif
#define DECIDE(decision, known, condition) :: atomic { (condition) && UNCHANGED && !known && cut != AtApiServer -> \
    handover = decision; known = true; printf("leader %d records %e\n", n, decision) }
proctype Leader(byte n) {
end: do
  GIVE(SwitchOver, src == SOURCE_READY || src == SOURCE_PRECOPY)
  GIVE(VerifyLoaded, dst == DESTINATION_LOADED)
  DECIDE(Committed, committed, wasAwaiting && (answered & n))
  DECIDE(RolledBack, rolledBack, true)            /* cancelled, deleted, timed out, a side failed or is away */
#ifdef MUTANT_ACTIVATES_BEFORE_DECISION
  GIVE(Activate, wasAwaiting && (answered & n))
#endif
  GIVE(Activate, committed && (dst == DESTINATION_LOADED || dst == DESTINATION_STRANDED))
#ifdef MUTANT_COMMITS_SOURCE_BEFORE_ACTIVE
  GIVE(Commit, committed)
#endif
  GIVE(Commit, committed && dst == DESTINATION_ACTIVE)
  GIVE(RollBackSource, rolledBack && (src == SOURCE_AWAITING_DECISION || src == SOURCE_STRANDED))
  GIVE(RollBackDestination, rolledBack && (dst == DESTINATION_LOADED || dst == DESTINATION_STRANDED))
  :: atomic { n == 1 && crashes > 0 -> crashes--; printf("leader 1 is gone\n"); break }
  :: atomic { n == 2 && crashes > 0 && (answered & 2) -> crashes--; answered = answered & 1; printf("leader 2 restarts\n") }
  od
}

#define DONE_FORWARD (handover == Committed && src == SOURCE_COMPLETED && dst == DESTINATION_ACTIVE && dstDev == Running && srcDev == Empty)
#define DONE_BACK (handover == RolledBack && src == SOURCE_ROLLED_BACK && dst == DESTINATION_DISCARDED && srcDev == Running && dstDev == Empty)
#define ASKS_A_PERSON (src == SOURCE_STRANDED || dst == DESTINATION_STRANDED)
init {
  atomic { run Leader(1); run Leader(2) }
  do
  :: atomic { cuts > 0 && cut == Nowhere -> cuts--;
       if :: cut = AtSource :: cut = AtDestination :: cut = AtStream :: cut = AtApiServer fi; printf("the network is cut: %e\n", cut) }
  :: atomic { cut != Nowhere -> cut = Nowhere; printf("the network is whole\n") }
#define LOST(command) :: atomic { mishaps > 0 && sent[command] -> mishaps--; sent[command] = 0; printf("command %d is lost\n", command) }
  LOST(SwitchOver) LOST(VerifyLoaded) LOST(Activate) LOST(Commit) LOST(RollBackSource) LOST(RollBackDestination)
  :: atomic { mishaps > 0 -> mishaps--;
       if :: srcBad = true :: dstBad = true :: dstDev == Holding -> dstDev = Empty; printf("what was loaded is lost\n") fi;
       if :: srcBad || dstBad -> if :: mended = true :: skip fi :: else fi }
  :: atomic { mended -> mended = false; srcBad = false; dstBad = false }
  :: timeout -> assert(DONE_FORWARD || DONE_BACK || ASKS_A_PERSON); break                               /* H3 */
  od
}
