/*
 * The handover, as docs/handover.md has it: both sessions with their journals, the recorded decision, two leaders, and
 * what can go wrong. sandbox/model checks it with spin, in every possible order of events:
 *
 *   H1  never do both devices run                                  asserted where a device is made to run
 *   H2  state that exists is never discarded before the other      asserted where a device is reset
 *       side holds it or the decision is taken
 *   H3  every run ends, and then exactly one device runs, or a     asserted where nothing is left to happen;
 *       session is STRANDED, which asks a person                   --endless: no run goes round for ever (1 crash)
 *   F   no agent obeys a leader older than one that it obeyed      asserted where a command is obeyed
 *
 * GO, REPLAY, DAMAGED and JOURNAL say what SourceMachine, DestinationMachine and their replays do; HandoverModelTest
 * compares them with those. Every place with FAULT(...) is one fault that can be planted: sandbox/model --mutants does,
 * and expects a counterexample for each. --guards takes away one condition of GO after the other: on those without a
 * counterexample nothing of H1 to H3 hangs, for they lead to where only the decision, or a refusal, leads on.
 *
 * Left out, because nothing of H1 to H3 hangs on it: pauses and their length, rounds, windows, the transfer to the
 * workload, resets that fail, journals of which no entry can be read, forgotten sessions, a status emptied by hand.
 */
#ifndef CRASHES
#define CRASHES 2                    /* of either agent or of either leader */
#define CUTS 1                       /* partitions, each of which heals */
#define MISHAPS 1                    /* a command that never arrives, a device that refuses for a time or for good or */
#endif                               /* loses what was loaded, an entry the disk did not take or gives back no more */
#ifndef PLANTED
#define PLANTED Nothing
#define FROM Nothing
#define TO Nothing
#endif
#ifndef STANDBY
#define STANDBY false
#endif
#define FAULT(name) (PLANTED == name)
mtype = { SOURCE_STARTING, SOURCE_READY, SOURCE_PRECOPY, SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION, SOURCE_COMPLETING,
          SOURCE_COMPLETED, SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, SOURCE_STRANDED,
          DESTINATION_LISTENING, DESTINATION_RECEIVING, DESTINATION_LOADED, DESTINATION_ACTIVATING, DESTINATION_ACTIVE,
          DESTINATION_DISCARDING, DESTINATION_DISCARDED, DESTINATION_STRANDED,
          Nothing, SourceStarted, SwitchingOver, EndAllowed, Committed, Completed, RollingBack, RolledBack,
          Prepared, Loaded, Activating, StateLost, Active, Discarding, Discarded,
          SwitchOver, VerifyLoaded, Activate, Commit, GiveUp, RollBackSource, RollBackDestination,
          Undecided, Empty, Holding, Running, Blank, at_none, at_src, at_dst, at_stream, at_apiServer }
mtype = { FENCING_IGNORED, FENCING_NUMBER_NOT_ON_DISK, END_ALLOWED_NOT_JOURNALLED, LOADED_NOT_JOURNALLED,
          SOURCE_TIRES_OF_WAITING, DESTINATION_TIRES_OF_WAITING, SOURCE_RESUMES_AFTER_COMMITTED, RUNS_WHAT_IT_LOST,
          DISCARDS_WHEN_ACTIVATING, DAMAGED_END_IS_CUT_OFF, DAMAGED_LOADED_IS_CUT_OFF, ANSWERS_BEFORE_LOADED,
          NO_COMPARE_AND_SET, COMMITS_WITHOUT_LOOK, ACTIVATES_BEFORE_DECISION, COMMITS_SOURCE_BEFORE_ACTIVE,
          ROLLS_BACK_BEFORE_DECISION, DISCARDS_BEFORE_DECISION, GIVES_UP_WHAT_RAN, TAKES_BACK_UNASKED }

/* What outlives every crash: the record, the journals, the devices, the fencing numbers. */
mtype handover = Undecided;                                            /* status.handover; Committed, RolledBack */
bool committed, rolledBack, takenBack;             /* what anybody may have read in it; takenBack: status.rollback */
mtype src = SOURCE_STARTING, srcLog = Nothing, srcDev = Running;       /* session, last entry, device */
mtype dst = DESTINATION_LISTENING, dstLog = Nothing, dstDev = Empty;
bool srcLost, dstLost;               /* entries behind the last one cannot be read */
bool srcBad, dstBad, mended;         /* a device refuses; somebody will mend it */
bool told, lostUntold, ran, gaveUp;       /* may dst's workload have been told to take it; what StateLost says; was it */
byte srcHighest, dstHighest, srcObeyed, dstObeyed;          /* fencing number on disk; the highest ever obeyed */

/* The network. What was sent may arrive at any time later and any number of times. Bit n: sent by leader n (1, 2). */
byte sent_SwitchOver, sent_VerifyLoaded, sent_Activate, sent_Commit, sent_GiveUp;
byte sent_RollBackSource, sent_RollBackDestination;
byte answered;                       /* to which leaders VerifyLoaded said: it is loaded */
bool endMark, wasAwaiting; mtype cut = at_none;
byte crashes = CRASHES, cuts = CUTS, mishaps = MISHAPS;

/* A replica that stands by decides, and tells what is recorded, under the number that leader 1 recorded: it is leader 1
   that never died. Even where a recorded decision is obeyed whatever the number (-DSTANDBY), H1 to H3 hold: it never
   changes, so whoever tells it tells the same. */
#define OF_RECORD(command) (STANDBY && command != SwitchOver && command != VerifyLoaded)
#define ADMITS(side, command, n) (n >= side##Highest || OF_RECORD(command) || FAULT(FENCING_IGNORED))
#define ARRIVED(side, command, n) ((sent_##command & n) && cut != at_##side && ADMITS(side, command, n))
#define TOLD(side, command) (ARRIVED(side, command, 1) || ARRIVED(side, command, 2))
#define OBEY_LEADER(side, command, n) assert(n >= side##Obeyed || OF_RECORD(command)); \
    if :: n > side##Obeyed -> side##Obeyed = n :: else fi; if :: n > side##Highest -> side##Highest = n :: else fi
#define OBEY(side, command) \
    if :: ARRIVED(side, command, 1) -> OBEY_LEADER(side, command, 1)                                      /* F */ \
       :: ARRIVED(side, command, 2) -> OBEY_LEADER(side, command, 2) :: else fi

/* side goes from one state to another where the condition holds; the effect is what is on disk before it counts. */
#define GO(side, from, to, condition, effect) \
    :: atomic { side == from && ((condition) || from == FROM && to == TO) -> \
        effect; side = to; printf("%e -> %e\n", from, to) }
#define PLANT(fault, side, from, to, condition, effect) GO(side, from, to, FAULT(fault) && (condition), effect)
#define JOURNAL(side, entry) side##Log = entry; side##Lost = false
#define TRY_TO_JOURNAL(side, entry) if :: JOURNAL(side, entry) :: mishaps > 0 -> mishaps-- fi
/* What a restart goes on with: by the last entry, and otherwise where what may follow it cannot be read. */
#define REPLAY(side, entry, state) :: side##Log == entry -> side = state
#define DAMAGED(side, entry, state) :: side##Lost && side##Log == entry -> side = state
#define RESTART(side) crashes--; printf("the agent restarts in %e\n", side); \
    if :: FAULT(FENCING_NUMBER_NOT_ON_DISK) -> side##Highest = 0 :: else fi

active proctype Source() { end: do
  :: atomic { src == SOURCE_STARTING && srcLog == Nothing -> JOURNAL(src, SourceStarted) }
  GO(src, SOURCE_STARTING, SOURCE_ROLLED_BACK, srcLog == Nothing, skip)                                /* refused */
  GO(src, SOURCE_STARTING, SOURCE_READY, srcLog == SourceStarted, skip)
  GO(src, SOURCE_STARTING, SOURCE_PRECOPY, srcLog == SourceStarted, skip)
  GO(src, SOURCE_READY, SOURCE_STOPNCOPY, TOLD(src, SwitchOver), OBEY(src, SwitchOver); JOURNAL(src, SwitchingOver))
  GO(src, SOURCE_PRECOPY, SOURCE_STOPNCOPY, TOLD(src, SwitchOver), OBEY(src, SwitchOver); JOURNAL(src, SwitchingOver))
  :: atomic { src == SOURCE_STOPNCOPY && srcDev == Running -> srcDev = Holding; printf("the source's device stops\n") }
  :: atomic { src == SOURCE_STOPNCOPY && srcDev == Holding && srcLog == SwitchingOver -> JOURNAL(src, EndAllowed) }
  :: atomic { src == SOURCE_STOPNCOPY && srcLog == EndAllowed && !endMark -> endMark = true; printf("the end mark\n") }
  GO(src, SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION, srcLog == EndAllowed, wasAwaiting = true)   /* or no mark sent */
  PLANT(END_ALLOWED_NOT_JOURNALLED, src, SOURCE_STOPNCOPY, SOURCE_AWAITING_DECISION,
        srcDev == Holding && srcLog == SwitchingOver, endMark = true; wasAwaiting = true)

  /* By itself, for whatever reason or because it is told, until EndAllowed is on disk. */
  GO(src, SOURCE_STARTING, SOURCE_ROLLING_BACK, srcLog != Nothing, TRY_TO_JOURNAL(src, RollingBack))
  GO(src, SOURCE_READY, SOURCE_ROLLING_BACK, true, TRY_TO_JOURNAL(src, RollingBack))
  GO(src, SOURCE_PRECOPY, SOURCE_ROLLING_BACK, true, TRY_TO_JOURNAL(src, RollingBack))
  GO(src, SOURCE_STOPNCOPY, SOURCE_ROLLING_BACK, srcLog != EndAllowed, TRY_TO_JOURNAL(src, RollingBack))
  GO(src, SOURCE_AWAITING_DECISION, SOURCE_ROLLING_BACK, TOLD(src, RollBackSource),
     OBEY(src, RollBackSource); TRY_TO_JOURNAL(src, RollingBack))
  GO(src, SOURCE_STRANDED, SOURCE_ROLLING_BACK, TOLD(src, RollBackSource) && !srcBad, OBEY(src, RollBackSource))
  PLANT(SOURCE_TIRES_OF_WAITING, src, SOURCE_AWAITING_DECISION, SOURCE_ROLLING_BACK, true, JOURNAL(src, RollingBack))
  PLANT(SOURCE_RESUMES_AFTER_COMMITTED, src, SOURCE_COMPLETING, SOURCE_ROLLING_BACK, srcDev == Holding, skip)
  :: atomic { src == SOURCE_ROLLING_BACK && srcDev == Holding && !srcBad ->
       srcDev = Running; printf("the source's device runs\n"); assert(dstDev != Running && !ran) }      /* H1 */
  GO(src, SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, srcDev == Running, JOURNAL(src, RolledBack))
  GO(src, SOURCE_ROLLING_BACK, SOURCE_STRANDED, srcBad, skip)
  GO(src, SOURCE_AWAITING_DECISION, SOURCE_COMPLETING, TOLD(src, Commit), OBEY(src, Commit); JOURNAL(src, Committed))
  :: atomic { src == SOURCE_COMPLETING && srcDev != Empty -> srcDev = Empty; printf("the source's device is reset\n");
       assert(handover == Committed && dstDev == Running) }                                             /* H2 */
  GO(src, SOURCE_COMPLETING, SOURCE_COMPLETED, srcDev == Empty, JOURNAL(src, Completed))

  :: atomic { crashes > 0 && srcLog != Nothing && src != SOURCE_COMPLETED && src != SOURCE_ROLLED_BACK ->
       RESTART(src);
       if :: mishaps > 0 -> mishaps--; srcLost = true;           /* the last entries, or none but what may follow */
          do :: srcLog == Committed -> srcLog = EndAllowed :: srcLog == RollingBack -> srcLog = SwitchingOver
             :: srcLog == EndAllowed -> srcLog = SwitchingOver :: srcLog == SwitchingOver -> srcLog = SourceStarted
             :: break od
       :: skip fi;
       if
       REPLAY(src, SourceStarted, SOURCE_STARTING) REPLAY(src, SwitchingOver, SOURCE_STOPNCOPY)
       REPLAY(src, EndAllowed, SOURCE_AWAITING_DECISION) REPLAY(src, Committed, SOURCE_COMPLETING)
       REPLAY(src, Completed, SOURCE_COMPLETED) REPLAY(src, RollingBack, SOURCE_ROLLING_BACK)
       REPLAY(src, RolledBack, SOURCE_ROLLED_BACK)
       fi;
       if :: FAULT(DAMAGED_END_IS_CUT_OFF) -> srcLost = false
       DAMAGED(src, SourceStarted, SOURCE_AWAITING_DECISION) DAMAGED(src, SwitchingOver, SOURCE_AWAITING_DECISION)
       DAMAGED(src, EndAllowed, SOURCE_AWAITING_DECISION)
       :: else fi;
       wasAwaiting = wasAwaiting || src == SOURCE_AWAITING_DECISION }
  od
}
#define ANSWER(m) :: atomic { dstDev == Holding && !dstBad && !(answered & m) && ARRIVED(dst, VerifyLoaded, m) && \
    (dst == DESTINATION_LOADED || FAULT(ANSWERS_BEFORE_LOADED)) -> OBEY_LEADER(dst, VerifyLoaded, m); \
    answered = answered | m; printf("the destination is looked at for leader %d\n", m) }
#define ACTIVATED (dstLog == Activating || dstLog == StateLost)
active proctype Destination() { end: do
  :: atomic { dst == DESTINATION_LISTENING && dstLog == Nothing -> JOURNAL(dst, Prepared) }
  GO(dst, DESTINATION_LISTENING, DESTINATION_DISCARDED, dstLog == Nothing, skip)                       /* refused */
  GO(dst, DESTINATION_LISTENING, DESTINATION_RECEIVING, dstLog == Prepared && cut != at_stream, skip)
  :: atomic { dst == DESTINATION_RECEIVING && endMark && dstDev == Empty && cut != at_stream -> dstDev = Holding }
  GO(dst, DESTINATION_RECEIVING, DESTINATION_LOADED, dstDev == Holding, JOURNAL(dst, Loaded))
  PLANT(LOADED_NOT_JOURNALLED, dst, DESTINATION_RECEIVING, DESTINATION_LOADED, dstDev == Holding, skip)

  /* A look at what is loaded, by itself and for VerifyLoaded. */
  GO(dst, DESTINATION_LOADED, DESTINATION_STRANDED, dstBad || dstDev != Holding, skip)
  GO(dst, DESTINATION_STRANDED, DESTINATION_LOADED, !ACTIVATED && !dstLost && !dstBad && dstDev == Holding, skip)
  ANSWER(1) ANSWER(2)

  /* By itself until Loaded is on disk, then only where it is told. */
  GO(dst, DESTINATION_LISTENING, DESTINATION_DISCARDING, dstLog != Nothing, TRY_TO_JOURNAL(dst, Discarding))
  GO(dst, DESTINATION_RECEIVING, DESTINATION_DISCARDING, true, TRY_TO_JOURNAL(dst, Discarding))
  GO(dst, DESTINATION_LOADED, DESTINATION_DISCARDING, TOLD(dst, RollBackDestination),
     OBEY(dst, RollBackDestination); JOURNAL(dst, Discarding))
  GO(dst, DESTINATION_STRANDED, DESTINATION_DISCARDING, !ACTIVATED && TOLD(dst, RollBackDestination),
     OBEY(dst, RollBackDestination); JOURNAL(dst, Discarding))
  PLANT(DESTINATION_TIRES_OF_WAITING, dst, DESTINATION_LOADED, DESTINATION_DISCARDING, true, JOURNAL(dst, Discarding))
  PLANT(DISCARDS_WHEN_ACTIVATING, dst, DESTINATION_ACTIVATING, DESTINATION_DISCARDING, true, JOURNAL(dst, Discarding))
  :: atomic { dst == DESTINATION_DISCARDING && dstDev != Empty -> printf("the destination's device is reset\n");
       assert((handover != Committed || gaveUp) && srcDev != Empty); dstDev = Empty }                       /* H2 */
  GO(dst, DESTINATION_STRANDED, DESTINATION_DISCARDING, TOLD(dst, GiveUp) && !told &&
     (dstLog == StateLost || dstLog == Activating && dstDev == Holding),
     OBEY(dst, GiveUp); gaveUp = true; JOURNAL(dst, Discarding))
  PLANT(GIVES_UP_WHAT_RAN, dst, DESTINATION_STRANDED, DESTINATION_DISCARDING, TOLD(dst, GiveUp) && dstLog == StateLost,
        JOURNAL(dst, Discarding))
  GO(dst, DESTINATION_DISCARDING, DESTINATION_DISCARDED, dstDev == Empty, JOURNAL(dst, Discarded))

  GO(dst, DESTINATION_LOADED, DESTINATION_ACTIVATING, TOLD(dst, Activate),
     OBEY(dst, Activate); JOURNAL(dst, Activating))
  GO(dst, DESTINATION_STRANDED, DESTINATION_ACTIVATING, TOLD(dst, Activate) && !dstBad && dstLog != StateLost &&
     !(ACTIVATED && dstLost) && (dstDev == Holding || ACTIVATED && dstDev == Running),
     OBEY(dst, Activate); JOURNAL(dst, Activating))
  :: atomic { dst == DESTINATION_ACTIVATING && dstDev == Holding && !dstBad ->
       dstDev = Running; printf("the destination's device runs\n"); assert(srcDev != Running) }         /* H1 */
  :: atomic { dst == DESTINATION_ACTIVATING && dstDev == Running && !told -> told = true; ran = true }
  :: atomic { dst == DESTINATION_ACTIVATING && dstDev == Empty && FAULT(RUNS_WHAT_IT_LOST) -> dstDev = Blank }
  GO(dst, DESTINATION_ACTIVATING, DESTINATION_ACTIVE, (dstDev == Running && told || dstDev == Blank) && !dstBad,
     JOURNAL(dst, Active))
  GO(dst, DESTINATION_ACTIVATING, DESTINATION_STRANDED, dstBad, skip)
  GO(dst, DESTINATION_ACTIVATING, DESTINATION_STRANDED, dstDev == Empty,
     lostUntold = !told; TRY_TO_JOURNAL(dst, StateLost))

  :: atomic { crashes > 0 && dstLog != Nothing && dst != DESTINATION_ACTIVE && dst != DESTINATION_DISCARDED ->
       RESTART(dst);
       if :: mishaps > 0 -> mishaps--; dstLost = true;
          do :: dstLog == Loaded -> dstLog = Prepared :: dstLog == Activating -> dstLog = Loaded
             :: dstLog == Discarding -> dstLog = Loaded :: dstLog == StateLost -> dstLog = Activating
             :: break od
       :: skip fi;
       if
       REPLAY(dst, Prepared, DESTINATION_LISTENING) REPLAY(dst, Loaded, DESTINATION_LOADED)
       REPLAY(dst, Activating, DESTINATION_ACTIVATING) REPLAY(dst, StateLost, DESTINATION_STRANDED)
       REPLAY(dst, Active, DESTINATION_ACTIVE) REPLAY(dst, Discarding, DESTINATION_DISCARDING)
       REPLAY(dst, Discarded, DESTINATION_DISCARDED)
       fi;
       told = dstLost || dstLog == Activating || dstLog == StateLost && !lostUntold;
       if :: FAULT(DAMAGED_LOADED_IS_CUT_OFF) -> dstLost = false
       DAMAGED(dst, Prepared, DESTINATION_STRANDED) DAMAGED(dst, Loaded, DESTINATION_LOADED)
       DAMAGED(dst, Activating, DESTINATION_STRANDED)
       :: else fi }
  od
}

/*
 * A replica of the operator. It keeps nothing: what it has seen may be as old as it likes, and to act late on a look is
 * to give a command that arrives late. So it may act on whatever once was; only the record's compare-and-set is of now.
 */
#define GIVE(command, condition) :: atomic { (condition) && !(sent_##command & n) -> \
    sent_##command = sent_##command | n; printf("leader %d gives %e\n", n, command) }
#define DECIDE(decision, known, condition) :: atomic { (condition) && !known && cut != at_apiServer && \
    (handover == Undecided || FAULT(NO_COMPARE_AND_SET)) -> \
    handover = decision; known = true; printf("leader %d records %e\n", n, decision) }
proctype Leader(byte n) { end: do
  GIVE(SwitchOver, src == SOURCE_READY || src == SOURCE_PRECOPY)
  GIVE(VerifyLoaded, dst == DESTINATION_LOADED || FAULT(ANSWERS_BEFORE_LOADED))
  DECIDE(Committed, committed, wasAwaiting && ((answered & n) || FAULT(COMMITS_WITHOUT_LOOK)))
  DECIDE(RolledBack, rolledBack, true)            /* cancelled, deleted, timed out, a side failed or is away */
  GIVE(Activate, (committed || FAULT(ACTIVATES_BEFORE_DECISION) && wasAwaiting && (answered & n)) &&
       (dst == DESTINATION_LOADED || dst == DESTINATION_STRANDED))
  GIVE(Commit, committed && (dst == DESTINATION_ACTIVE || FAULT(COMMITS_SOURCE_BEFORE_ACTIVE)))
  GIVE(GiveUp, committed && dst == DESTINATION_STRANDED)                                     /* spec.takeBack */
  :: atomic { committed && !takenBack && cut != at_apiServer &&
     (dst == DESTINATION_DISCARDED || FAULT(TAKES_BACK_UNASKED)) -> takenBack = true;
     printf("leader %d records that it is taken back\n", n) }
  GIVE(RollBackSource, (rolledBack || takenBack || FAULT(ROLLS_BACK_BEFORE_DECISION)) &&
       (src == SOURCE_AWAITING_DECISION || src == SOURCE_STRANDED))
  GIVE(RollBackDestination, (rolledBack || FAULT(DISCARDS_BEFORE_DECISION)) &&
       (dst == DESTINATION_LOADED || dst == DESTINATION_STRANDED))
  :: atomic { n == 1 && crashes > 0 -> crashes--; printf("leader 1 is gone\n"); break }
  :: atomic { n == 2 && crashes > 0 && (answered & 2) -> crashes--; answered = answered & 1; printf("leader 2 anew\n") }
  od
}

#define ENDED(decision, source, destination, itsDevice, otherDevice) (handover == decision && \
    src == source && dst == destination && srcDev == itsDevice && dstDev == otherDevice)
#define ASKS_A_PERSON (src == SOURCE_STRANDED || dst == DESTINATION_STRANDED)
#define LOSE(command) :: atomic { mishaps > 0 && sent_##command -> mishaps--; sent_##command = 0; \
    printf("%e is lost\n", command) }
init {
  atomic { run Leader(1); run Leader(2) }
  do
  :: atomic { cuts > 0 && cut == at_none -> cuts--; if :: cut = at_src :: cut = at_dst :: cut = at_stream
       :: cut = at_apiServer fi; printf("the network is cut %e\n", cut) }
  :: atomic { cut != at_none -> cut = at_none; printf("the network is whole\n") }
  LOSE(SwitchOver) LOSE(VerifyLoaded) LOSE(Activate) LOSE(Commit) LOSE(GiveUp)
  LOSE(RollBackSource) LOSE(RollBackDestination)
  :: atomic { mishaps > 0 -> mishaps--;
       if :: srcBad = true :: dstBad = true
          :: dstDev == Holding || dstDev == Running && dst == DESTINATION_ACTIVATING -> dstDev = Empty;
          printf("what the destination held is lost\n") fi;
       if :: srcBad || dstBad -> if :: mended = true :: skip fi :: else fi }
  :: atomic { mended -> mended = false; srcBad = false; dstBad = false }
  :: timeout -> assert(ASKS_A_PERSON ||                                                                 /* H3 */
       ENDED(Committed, SOURCE_COMPLETED, DESTINATION_ACTIVE, Empty, Running) ||
       takenBack && ENDED(Committed, SOURCE_ROLLED_BACK, DESTINATION_DISCARDED, Running, Empty) ||
       ENDED(RolledBack, SOURCE_ROLLED_BACK, DESTINATION_DISCARDED, Running, Empty)); break
  od
}
