"""The words of the simulated market: names, hashtags and captions, all invented.

Belongs here: plain word lists. Does not belong here: how they are combined (see ``captions``).
Caption bodies come as (language, text). ``AI_BODIES`` say by themselves that the video was made with generative AI
or an AI effect; ``AI_TAGS`` say so for a caption that doesn't. ``PLAIN_BODIES`` hold traps on purpose: "hair",
"said", "bailar", "bagaimana", "again", "email" contain the letters, and some are ABOUT AI without being made by it.
"""

from __future__ import annotations

ADJECTIVES = (
    "slow", "soft", "lazy", "cosy", "golden", "tiny", "rainy", "salty", "mellow", "rustic", "frosty", "lucky",
    "dizzy", "quiet", "amber", "retro", "pastel", "stormy", "midnight", "lemon", "cherry", "copper", "dusty",
    "electric", "fuzzy", "gentle", "hazel", "ivory", "jelly", "linen", "marble", "noble", "olive", "plum", "summer",
    "winter", "sunny", "tidal", "urban",
)  # fmt: skip
NOUNS = (
    "morning", "lantern", "closet", "waffle", "kitchen", "sofa", "cactus", "teapot", "weekend", "mango", "ferry",
    "parade", "violin", "market", "window", "balcony", "marathon", "harbor", "kettle", "library", "meadow",
    "picnic", "orchard", "notebook", "quilt", "rooftop", "saddle", "tunnel", "umbrella", "voyage", "sunset",
    "yacht", "cabin", "bridge", "candle", "beach", "bakery", "feather", "garden",
)  # fmt: skip
TAG_ENDINGS = ("walk", "check", "glow", "era", "edit", "swap", "dance", "reveal", "pov", "remix")
ARTISTS = (
    "Nova Lane", "The Harbour Lights", "DJ Marlowe", "Ines & Theo", "Velvet Hours", "Paper Avenue", "Low Tide Club",
    "Turtle Bay Trio", "Second Sunday", "Juniper 42",
)  # fmt: skip
EMOJI = ("", "", "🔥", "✨", "😭", "😂", "💫", "🎬", "❤️", "👀", "🙏", "😍", "💀", "🇬🇧", "🇺🇸", "👩‍🦰", "🫶🏽", "⚡")
NICKNAME_ENDINGS = ("", " ✨", " 🎬", " official", " edits", " 🌸", " TV", " xo")
SIGNATURES = ("", "bio\\nline two", "simulated creator", "dm for nothing 💌", "edits & templates", "🇬🇧 London | 🇺🇸 NYC")

STOP_TAGS_A = ("fyp", "fyp", "fyp", "foryou", "foryoupage", "fypage", "FYP", "fy")
STOP_TAGS_B = ("viral", "viral", "trending", "xyzbca", "viralvideo", "trend", "tiktok", "blowthisup")
CAPCUT_TAGS = (
    "capcut", "CapCut", "CapCutTemplate", "capcuttemplate", "capcut_edit", "capcutpioneer", "pioneertemplate",
)  # fmt: skip
NICHE_TAGS = (
    "sourdough", "gymbuddy", "thriftfind", "catlife", "dogmum", "gardenwork", "nailinspo", "hairtok",
    "paintwork", "rainyday", "trainspotting", "cleanwithme", "budgetmeals", "weddingplan", "newbornlife",
    "carmeet", "kayaklife", "kitchenhack", "plantcare", "runclub", "bakeoff", "vanlife", "studyroom",
    "nursesof", "teachertips", "barberlife", "skatepark", "surfcam", "chessgame", "guitarriff",
    "potterywheel", "crochetclub", "scalemodel", "fishinglog", "campfire", "roadtrip", "citywalk", "hillhike",
    "icebath", "proteinmeal", "salsanight", "tapdance", "violinist", "drumfill", "mathsfacts", "historybits",
    "spacefacts", "wordgame", "cardtrick", "oldphotos", "familytime", "prankcall", "footballskills",
    "netballteam", "cricketnets", "boxingdrill", "yogaflow", "makeupclass", "skinroutine", "perfumeshelf",
)  # fmt: skip
AI_TAGS = (
    "ai", "AI", "aitrend", "aivideo", "aigenerated", "aiart", "aifilter", "aieffect", "KlingAI", "aidance",
    "filtroia", "iatrend", "aigc", "aibaby", "aiphoto", "aiedit",
)  # fmt: skip
NEUTRAL_FOR_AI = (
    ("en", "How did it get my face this right"),
    ("en", "Wait for the last one"),
    ("en", "My nan can't stop laughing at this"),
    ("en", "We put the dog in and this came out"),
    ("en", "Part 2 because you asked"),
    ("es", "Miren cómo quedó mi perro"),
    ("pt", "Olha o que saiu da minha foto"),
    ("fr", "Regardez le résultat"),
    ("tr", "Sonuca bakın"),
)
AI_BODIES = (
    ("en", "This AI filter turned my whole family into clay figures"),
    ("en", "AI generated version of my childhood home"),
    ("en", "I asked AI to redraw my cat as a king"),
    ("en", "Made with Kling AI from one single photo"),
    ("en", "one photo to dance template, just upload your picture"),
    ("en", "AI baby dance is taking over my feed"),
    ("en", "Made this whole short film with Veo 3"),
    ("en", "Sora 2 made me an astronaut"),
    ("en", "Midjourney plus Runway, took ten minutes"),
    ("en", "my pet as a human, AI photo trend"),
    ("en", "This A.I. effect is scary good"),
    ("en", "Hailuo AI hug with my younger self"),
    ("en", "Try this AI template before everyone does"),
    ("en", "Turn your selfie into a doll with ChatGPT image"),
    ("en", "AI dance with grandad, tutorial in comments"),
    ("en", "nano banana figurine trend but it's my boss"),
    ("es", "Probando el filtro de IA que te convierte en muñeco"),
    ("es", "Video hecho con IA a partir de una foto"),
    ("es", "La inteligencia artificial me puso a bailar"),
    ("pt", "Filtro de IA que transforma foto em desenho"),
    ("pt", "Fiz esse vídeo com inteligência artificial"),
    ("fr", "Photo animée par l'IA, le résultat est fou"),
    ("fr", "Filtre IA qui te transforme en poupée"),
    ("de", "Dieses Video wurde mit KI erstellt"),
    ("de", "KI Filter macht aus mir eine Figur"),
    ("id", "Foto jadi video pakai AI, hasilnya lucu banget"),
    ("id", "Efek AI lagi viral, cobain deh"),
    ("ar", "تحويل صورتي إلى فيديو باستخدام الذكاء الاصطناعي AI"),
    ("tr", "Yapay zeka ile fotoğrafımı dans ettirdim AI"),
    ("ja", "AI動画を作ってみた AI generated"),
    ("hi", "AI filter ने मेरी फोटो को कार्टून बना दिया"),
)
PLAIN_BODIES = (
    ("en", "My hair routine in under a minute"),
    ("en", "She said yes and I forgot the ring at home"),
    ("en", "Doing this again because the first take failed"),
    ("en", "Reply all on a company email, a short story"),
    ("en", "Waiting for the rain to stop at the train station"),
    ("en", "Painting the stairs again, who said it was easy"),
    ("en", "Straight hair or curly hair, be honest"),
    ("en", "Dubai airport at 4am hits different"),
    ("en", "Try the template, link below"),
    ("en", "Use this template for your weekend recap"),
    ("en", "POV: you finally clean the garage"),
    ("en", "Rate my Sunday roast out of ten"),
    ("en", "Things nobody tells you about moving out"),
    ("en", "Our first dance and the DJ stopped the music"),
    ("en", "Three meals for under a fiver"),
    ("en", "Watch till the end, the cat knows"),
    ("en", "A day in my life as a night nurse"),
    ("en", "Day 14 of running before work"),
    ("en", "He maintained he could parallel park"),
    ("en", "Get ready with me for my cousin's wedding"),
    ("en", "Teaching my dad the dance, send help"),
    ("en", "How I edit my videos on my phone"),
    ("en", "Small business check, packing orders"),
    ("en", "The neighbours complained so I baked them bread"),
    ("en", "Found this in the attic, what is it"),
    ("en", "My honest thoughts on AI taking our editing jobs"),
    ("en", "Robot vacuum versus my dog"),
    ("en", "No AI here, every frame is drawn by hand"),
    ("en", "Campaign for fair pay, join the main march"),
    ("en", "Kia or Fiat for a first car"),
    ("en", "Aim for the corner, always"),
    ("en", "Brainstorming names for the new chair"),
    ("en", "What I eat before a marathon"),
    ("en", "Mum's reaction when I came home early"),
    ("en", "I tried the slow morning everyone talks about"),
    ("en", "Before and after of the smallest bathroom"),
    ("en", "Photo dump from the lake"),
    ("en", "Recap of our year in twelve clips"),
    ("es", "Vamos a bailar en la cocina otra vez"),
    ("es", "Bailar con mi abuela es lo mejor"),
    ("es", "Receta fácil para el domingo"),
    ("es", "Así quedó mi cuarto después de limpiar"),
    ("es", "Usa esta plantilla para tu recuerdo"),
    ("es", "Cuando tu perro aprende a abrir la puerta"),
    ("es", "Viaje corto a la playa con mi familia"),
    ("pt", "Minha mãe dançando na festa da família"),
    ("pt", "Arrumando o quarto antes da visita chegar"),
    ("pt", "Saí do trabalho e fui direto pra praia"),
    ("fr", "J'ai raté mon gâteau mais il est bon"),
    ("fr", "Une journée avec moi à la campagne"),
    ("fr", "Elle m'a dit oui, mais pas tout de suite"),
    ("de", "Mein Kiosk um die Ecke hat jetzt Brezeln"),
    ("de", "Kindergeburtstag im Mai, wir planen schon"),
    ("de", "Heute wird der Balkon gestrichen"),
    ("id", "Bagaimana cara bikin sambal yang enak"),
    ("id", "Pakai template ini buat liburan kamu"),
    ("id", "Sampai rumah langsung makan bakso"),
    ("ar", "رحلة قصيرة مع العائلة إلى البحر"),
    ("ar", "وصفة سريعة قبل الإفطار في رمضان"),
    ("ar", "صباح الخير من المزرعة"),
    ("tr", "Annemin tarifiyle börek yaptım"),
    ("tr", "Yağmurda maça gitmek ayrı güzel"),
    ("ja", "朝ごはんを作ってみた"),
    ("ja", "うちの猫がまた逃げた"),
    ("hi", "घर की शादी में दादी का डांस"),
    ("hi", "आज की चाय और बारिश"),
)
ORIGINAL_SOUND = {
    "es": "sonido original", "pt": "som original", "fr": "son original", "de": "Originalton",
    "id": "suara asli", "tr": "orijinal ses", "ja": "オリジナル楽曲", "ar": "الصوت الأصلي",
}  # fmt: skip
FINDERS = (
    ("capcut", "2044.8B"), ("fyp", "55.1T"), ("viral", "31.2T"), ("capcuttemplate", "96.4B"),
    ("aitrend", "3.1B"), ("template", "12.7B"), ("trending", "8.8T"), ("edit", "556B"),
)  # fmt: skip
EFFECTS = (
    ("459476", "Green Screen"), ("1058233", "Time Warp Scan"), ("2200417", "Soft Grain"), ("3310552", "Face Morph"),
)  # fmt: skip
